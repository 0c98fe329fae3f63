/** Tests how an investigator reads the runbooks. */
import { expect, it } from 'vitest';
import { pages } from '../../../observability/runbook-pages.ts';
import { filledQuery, questionsOf } from './runbook.ts';

it('every query of every runbook that can be run belongs to a question', () => {
  for (const page of pages) {
    const questions = questionsOf(page);
    expect(questions.length, page).toBeGreaterThan(1);
    expect(
      questions.filter(({ queries }) => queries.length === 0),
      page,
    ).toEqual([]);
  }
});

it('a question is the text up to its question mark, and has its queries without their twins', () => {
  const questions = questionsOf('dead-inflow.md');
  expect(questions.map(({ text }) => text)).toContain('Which types die, and why?');
  const error = questions.find(({ text }) => text === 'Which error is it?');
  expect(error?.queries.map(({ language }) => language)).toEqual(['logsql']);
});

it('a query asks for the queue of the alert, and PromQL for windows that are as short as those of the rules', () => {
  const text = 'sum(rate(x_total{queue="mail"}[15m])) / sum(rate(y_total[30s]))';
  expect(filledQuery({ language: 'promql', text }, 'orders', 60)).toBe(
    'sum(rate(x_total{queue="orders"}[15000ms])) / sum(rate(y_total[1000ms]))',
  );
  const lines = '_time:15m queue:="mail"';
  expect(filledQuery({ language: 'logsql', text: lines }, 'a"b', 60)).toBe('_time:15m queue:="a\\"b"');
});
