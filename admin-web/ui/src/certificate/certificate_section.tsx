/** Who the house is to those that come encrypted: its certificate, until when, and what is wrong with it. */
import { Alert, Paper, Table, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ask, client, type Schemas } from '../api/client';
import styles from '../call/call.module.css';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords, type Words } from '../shell/words';
import sheet from '../trunk/trunk.module.css';

type Certificate = Schemas['Certificate'];

export function CertificateSection() {
  const words = useWords();
  const { t, moment } = words;
  const certificate = useQuery({
    queryKey: ['certificate'],
    queryFn: (): Promise<Certificate> => ask(client.GET('/api/v1/certificate')),
    refetchInterval: 20_000,
  });
  const shown = certificate.data;
  const rows: [string, string][] = shown
    ? [
        [t('certificate.origin'), origin(words, shown)],
        [t('certificate.names'), shown.names.join(', ')],
        [t('certificate.issuer'), shown.is_own_making ? t('certificate.self') : shown.issuer],
        [t('certificate.until'), moment(shown.valid_until)],
        [t('certificate.fingerprint'), shown.fingerprint],
      ]
    : [];
  return (
    <section aria-labelledby="certificate" className={sheet.section}>
      <Title order={2} id="certificate" mb="xs">
        {t('certificate.title')}
      </Title>
      <ProblemAlert reason={certificate.error} />
      {shown?.trouble && (
        <Alert color="yellow" mb="sm" data-testid="certificate-trouble">
          {t(`certificate.trouble.${shown.trouble}`)} {t(`certificate.remedy.${shown.trouble}`)}
        </Alert>
      )}
      {shown && (
        <Paper withBorder className={styles.frame}>
          <Table variant="vertical" className={styles.table} data-testid="certificate">
            <Table.Tbody>
              {rows.map(([what, value]) => (
                <Table.Tr key={what}>
                  <Table.Th scope="row">{what}</Table.Th>
                  <Table.Td className={sheet.long ?? ''}>{value}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
    </section>
  );
}

function origin({ t }: Words, { origin }: Certificate): string {
  if (origin === 'acme') return t('certificate.by_authority');
  return origin === 'files' ? t('certificate.by_files') : t('certificate.by_house');
}
