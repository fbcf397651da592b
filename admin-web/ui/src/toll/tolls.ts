/** What calls to the outside may cost: asked for and changed, and letting somebody go on for a while. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask, client, type Schemas } from '../api/client';
import type { Language } from '../format/time';

export type Toll = Schemas['Toll'];
export type Spending = Schemas['Spending'];

const KEY = ['toll'];

export function useToll() {
  return useQuery({ queryKey: KEY, queryFn: (): Promise<Toll> => ask(client.GET('/api/v1/toll')) });
}

export function useSaveToll() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (toll: Toll) => ask(client.PUT('/api/v1/toll', { body: toll })),
    onSuccess: (saved) => queries.setQueryData(KEY, saved),
  });
}

export function useAllow() {
  return useMutation({
    mutationFn: (id: string) => ask(client.POST('/api/v1/spendings/{id}/allowance', { params: { path: { id } } })),
  });
}

export function useCountries() {
  return useQuery({
    queryKey: ['countries'],
    queryFn: async (): Promise<string[]> => (await ask(client.GET('/api/v1/countries'))).items,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A country's name in the reader's language. */
export function countryName(code: string, language: Language): string {
  return new Intl.DisplayNames([language], { type: 'region', fallback: 'code' }).of(code) ?? code;
}

export function euros(amount: number, language: Language): string {
  return new Intl.NumberFormat(language, { style: 'currency', currency: 'EUR' }).format(amount);
}

/** Rates as lines that a person writes: what numbers begin with, and the price of a minute. */
export function writeRates(rates: Toll['rates'], language: Language): string {
  const price = new Intl.NumberFormat(language, { maximumFractionDigits: 6, useGrouping: false });
  return rates.map(({ prefix, per_minute }) => `${prefix} ${price.format(per_minute)}`).join('\n');
}

/** What was written, or the first line that is none. */
export function readRates(text: string): Toll['rates'] | { wrong: string } {
  const rates: Toll['rates'] = [];
  for (const line of text.split('\n').map((written) => written.trim())) {
    if (line === '') continue;
    const found = /^(\+?[\d .]*?)[\s;]+(\d+(?:[.,]\d+)?)$/.exec(line);
    const [, prefix, price] = found ?? [];
    if (!prefix || !price) return { wrong: line };
    rates.push({ prefix: prefix.replace(/[ .]/g, ''), per_minute: Number(price.replace(',', '.')) });
  }
  return rates;
}
