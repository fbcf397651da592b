/** What calls to the outside may cost: countries, ceilings, who is told, and what a minute costs. */
import { Button, Fieldset, Group, Modal, MultiSelect, NumberInput, Stack, Textarea } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Problem } from '../api/problem';
import { useExtensions } from '../extension/extensions';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { notice } from '../shell/notice';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import { countryName, readRates, type Toll, useCountries, useSaveToll, writeRates } from './tolls';

const BOUNDS = ['cost_of_hour', 'cost_of_day', 'minutes_of_hour', 'minutes_of_day'] as const;

type Bound = (typeof BOUNDS)[number];

/** A number, or nothing written. */
type Written = Record<Bound, number | string>;

function written(ceilings: Toll['house']): Written {
  const entries = BOUNDS.map((bound) => [bound, ceilings[bound] ?? '']);
  return Object.fromEntries(entries);
}

function meant(ceilings: Written): Toll['house'] {
  const bound = (value: number | string) => (value === '' ? null : Number(value));
  return {
    cost_of_hour: bound(ceilings.cost_of_hour),
    cost_of_day: bound(ceilings.cost_of_day),
    minutes_of_hour: bound(ceilings.minutes_of_hour),
    minutes_of_day: bound(ceilings.minutes_of_day),
  };
}

export function TollForm({ toll, onClose }: { toll: Toll; onClose: () => void }) {
  const words = useWords();
  const { t, language, coded } = words;
  const save = useSaveToll();
  const countries = useCountries().data ?? [];
  const extensions = useExtensions().data ?? [];
  const form = useForm({
    initialValues: {
      countries: toll.countries,
      house: written(toll.house),
      extension: written(toll.extension),
      alerted: toll.alerted,
      rates: writeRates(toll.rates, language),
    },
  });
  const submit = form.onSubmit((values) => {
    const rates = readRates(values.rates);
    if (!Array.isArray(rates)) return form.setFieldError('rates', t('toll.rate_wrong', { line: rates.wrong }));
    save.mutate(
      {
        countries: values.countries,
        house: meant(values.house),
        extension: meant(values.extension),
        alerted: values.alerted,
        rates,
      },
      {
        onSuccess: () => {
          notice(t('shell.saved'));
          onClose();
        },
        onError: (reason) => reason instanceof Problem && form.setErrors(fieldErrors(words, reason)),
      },
    );
  });
  const named = (code: string) => ({ value: code, label: countryName(code, language) });
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t('toll.edit_title')}
      closeButtonProps={{ 'aria-label': t('shell.close') }}
    >
      <form onSubmit={submit}>
        <Stack gap="sm">
          <MultiSelect
            label={t('toll.countries')}
            description={t('toll.countries_hint')}
            searchable
            limit={20}
            data={countries.map(named).sort((a, b) => a.label.localeCompare(b.label, language))}
            nothingFoundMessage={t('toll.no_country')}
            {...form.getInputProps('countries')}
          />
          {(['extension', 'house'] as const).map((whose) => (
            <Fieldset key={whose} legend={whose === 'house' ? t('toll.ceilings_house') : t('toll.ceilings_extension')}>
              <Group grow align="flex-end">
                {BOUNDS.map((bound) => (
                  <NumberInput
                    key={bound}
                    label={coded('ceiling', bound)}
                    min={0}
                    max={1_000_000}
                    decimalScale={bound.startsWith('cost') ? 2 : 0}
                    decimalSeparator={language === 'fr' ? ',' : '.'}
                    {...form.getInputProps(`${whose}.${bound}`)}
                  />
                ))}
              </Group>
              {form.errors[whose] && <p role="alert">{form.errors[whose]}</p>}
            </Fieldset>
          ))}
          <MultiSelect
            label={t('toll.alerted_label')}
            description={t('toll.alerted_hint')}
            maxValues={5}
            searchable
            data={extensions.map(({ number, name }) => ({ value: number, label: `${number} ${name}` }))}
            {...form.getInputProps('alerted')}
          />
          <details>
            <summary>{t('toll.rates')}</summary>
            <Textarea
              mt="sm"
              label={t('toll.rates_label')}
              description={t('toll.rates_hint')}
              rows={10}
              spellCheck={false}
              {...form.getInputProps('rates')}
            />
          </details>
          {form.errors.rates && <p role="alert">{form.errors.rates}</p>}
          <ProblemAlert reason={notOfFields(save.error, Object.keys(form.values))} />
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={onClose}>
              {t('shell.cancel')}
            </Button>
            <Button type="submit" loading={save.isPending} data-testid="toll-save">
              {t('shell.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
