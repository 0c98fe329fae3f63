/** Checks the runbooks: one for each alert, with queries that name what exists and commands that exist. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { objectiveGroups, operationalGroups, standardOptions } from '../../scripts/rules/files.ts';
import { runbookOf } from '../../scripts/rules/runbooks.ts';
import { holdfast } from '../cli/command-server.ts';
import { knownAttributes } from './known-fields.ts';
import { knownSeries } from './known-series.ts';
import { logQlOffences, traceQlOffences } from './line-queries.ts';
import { offencesOf } from './offences.ts';
import { blocksOf, folder, ofLanguage, pages, procedures, textOf } from './runbook-pages.ts';

const rules = [...objectiveGroups(standardOptions), ...operationalGroups(standardOptions)].flatMap(
  (group) => group.rules,
);
const alerts = new Map(
  rules.flatMap(({ alert, labels }) => (alert === undefined ? [] : [[alert, labels?.severity ?? '']])),
);

it('every alert has a runbook, every runbook an alert, and the list of runbooks has each with its severity', () => {
  expect([...pages].sort()).toEqual([...alerts.keys()].map(runbookOf).sort());
  for (const { alert = '', annotations } of rules.filter((rule) => rule.alert !== undefined)) {
    expect(existsSync(new URL(`../../${annotations?.runbook_url}`, import.meta.url)), alert).toBe(true);
  }
  const list = textOf('README.md');
  for (const [alert, severity] of alerts) {
    expect(textOf(runbookOf(alert))).toMatch(new RegExp(`^# ${alert}\n`));
    expect(list).toContain(`| [${alert}](${runbookOf(alert)}) | ${severity} |`);
  }
});

describe.each(pages)('the runbook %s', (page) => {
  it('says what users feel, the queries in order, how to decide, and the commands', () => {
    expect([...textOf(page).matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
      'What users feel',
      'Queries, in order',
      'Decide',
      'Commands',
    ]);
  });

  it('has PromQL with series, labels and values that exist', () => {
    const known = knownSeries();
    const queries = ofLanguage(page, 'promql');
    expect(queries.length).toBeGreaterThan(0);
    expect(queries.flatMap((query) => offencesOf(query, known).map((one) => `${query}: ${one}`))).toEqual([]);
  });

  it('has each LogQL beside its LogsQL, each TraceQL beside its path of Jaeger, with fields and attributes that exist', () => {
    const twins = { logsql: 'logql', jaeger: 'traceql' } as const;
    const languages = blocksOf(page).map(({ language }) => language);
    for (const [first, second] of Object.entries(twins)) {
      const follow = languages.flatMap((language, i) => (language === first ? [languages[i + 1]] : []));
      expect(follow).toEqual(languages.filter((language) => language === second));
    }
    expect(ofLanguage(page, 'logql').flatMap(logQlOffences)).toEqual([]);
    expect(ofLanguage(page, 'traceql').flatMap(traceQlOffences)).toEqual([]);
    for (const path of ofLanguage(page, 'jaeger')) {
      const { pathname, searchParams } = new URL(path, 'http://jaeger');
      // The API v3 ignores attributes.
      expect(pathname).toBe('/api/traces');
      expect(searchParams.get('service')).toMatch(/^holdfast-(server|worker)$/);
      expect(Number(searchParams.get('limit'))).toBeGreaterThan(0);
      const attributes = Object.keys(JSON.parse(searchParams.get('tags') ?? '{}'));
      // Jaeger gives every failed span the tag `error`.
      expect(attributes.filter((one) => one !== 'error' && !knownAttributes.span.has(one))).toEqual([]);
    }
  });

  it('names commands that exist', async () => {
    const help = (await holdfast('--help')).out;
    const lines = ofLanguage(page, 'sh').flatMap((code) => code.split('\n'));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(help, line).toContain(`\n  ${/^holdfast (\w+)/.exec(line)?.[1]} `);
  });

  it('links pages that exist', () => {
    const links = [...textOf(page).matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(new URL(link, folder)))).toEqual([]);
  });
});

/** The clients of the SDK whose commands are the operations of the AWS CLI. */
const clients: Readonly<Record<string, () => Promise<object>>> = {
  cloudwatch: () => import('@aws-sdk/client-cloudwatch'),
  dynamodb: () => import('@aws-sdk/client-dynamodb'),
  ecr: () => import('@aws-sdk/client-ecr'),
  ecs: () => import('@aws-sdk/client-ecs'),
  ssm: () => import('@aws-sdk/client-ssm'),
};
/** Operations of the CLI of services whose clients are not installed here. */
const ofOthers: ReadonlySet<string> = new Set(['application-autoscaling register-scalable-target']);

/** Returns the operations of the AWS CLI in a page, such as `ecs update-service` or `ecs wait services-stable`. */
function cliCalls(page: string): string[] {
  const code = blocksOf(page).map((block) => block.code);
  return code.flatMap((text) =>
    [...text.matchAll(/(?<!holdfast )\baws ([a-z-]+) ((?:wait )?[a-z-]+)/g)].map(
      (found) => `${found[1]} ${found[2]}`,
    ),
  );
}

const pascal = (text: string): string =>
  text
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

describe.each(procedures)('the procedure %s', (page) => {
  it('is in the list of runbooks, and says what must be true, what to do and how to see that it worked', () => {
    expect(textOf('README.md')).toContain(`](${page}) |`);
    const titles = [...textOf(page).matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(expect.arrayContaining(['What must be true', 'How you see that it worked']));
  });

  it('has commands of holdfast and operations of the AWS CLI that exist', async () => {
    const help = (await holdfast('--help')).out;
    const lines = blocksOf(page).flatMap(({ code }) => code.split('\n').map((line) => line.trim()));
    const ours = lines.filter((line) => line.startsWith('holdfast '));
    expect(ours.length).toBeGreaterThan(0);
    for (const line of ours) expect(help, line).toContain(`\n  ${/^holdfast (\w+)/.exec(line)?.[1]} `);
    const calls = cliCalls(page);
    expect(calls.length).toBeGreaterThan(5);
    for (const call of calls.filter((one) => !ofOthers.has(one))) {
      const [service = '', ...words] = call.split(' ');
      const operation = words.join(' ');
      const known = await clients[service]?.();
      const name = operation.startsWith('wait ')
        ? `waitUntil${pascal(operation.slice('wait '.length))}`
        : `${pascal(operation)}Command`;
      expect(Object.keys(known ?? {}), call).toContain(name);
    }
  });

  it('links pages that exist', () => {
    const links = [...textOf(page).matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(new URL(link, folder)))).toEqual([]);
  });
});
