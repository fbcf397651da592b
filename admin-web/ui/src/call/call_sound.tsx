import { formatNumber } from '../format/number';
import type { Call } from '../live/state';
import { useWords } from '../shell/words';
import { GradeWord, roundTripSentence, soundSentence, worstOf } from './quality';
import styles from './quality.module.css';

/** How a call in progress sounds so far: a word, and the figures of each side. */
export function CallSound({ call }: { call: Call }) {
  const words = useWords();
  const grade = worstOf(call.legs);
  if (grade === null) return null;
  return (
    <>
      <GradeWord grade={grade} />
      {call.legs.map(({ party, quality }, at) => {
        if (!quality) return null;
        const told = [soundSentence(words, worse(quality)), roundTripSentence(words, quality)].filter(Boolean);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: both sides may be the same number, and their order never changes
          <p key={at} className={styles.figures}>
            {formatNumber(party)} · {told.join(', ')}
          </p>
        );
      })}
    </>
  );
}

/** Of what it sends and what it receives, the worse of each figure; none if it sends nothing. */
function worse({ from, to }: NonNullable<Call['legs'][number]['quality']>) {
  if (!from || !to) return from;
  return {
    loss_percent: Math.max(from.loss_percent, to.loss_percent),
    jitter_ms: Math.max(from.jitter_ms, to.jitter_ms),
  };
}
