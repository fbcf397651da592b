import { useEffect, useState } from 'react';

/**
 * For a window that has a place of its own (`/extensions/new`): when it goes, the focus returns to what opened it, or to the page's
 * heading if that is gone. The kit does so only for windows that stay in the tree.
 */
export function useReturnFocus(): void {
  const [opener] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      const back =
        opener instanceof HTMLElement && opener !== document.body && opener.isConnected
          ? opener
          : document.querySelector('h1');
      // After the window's own focus trap has let go.
      setTimeout(() => back?.focus());
    },
    [opener],
  );
}
