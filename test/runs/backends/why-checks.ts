/** Runs `holdfast why` and `holdfast slo` against the live back ends. Each check returns what is missing. */
import type { Submitted } from './contract.ts';
import type { Deployment, Environment } from './deployment.ts';

interface WhyAnswer {
  readonly verdict: string;
  readonly culprit?: { readonly from: string; readonly service: string; readonly text: string };
  readonly spans?: readonly { readonly attempt?: number; readonly taskId?: string }[];
  readonly lines?: readonly unknown[];
  readonly backendFaults: readonly string[];
}

interface Expected {
  readonly id: string;
  readonly verdict: string;
  readonly from: 'log' | 'span';
  readonly service: string;
  readonly text: string;
  readonly env?: Environment;
}

async function missingOf({ command }: Deployment, expected: Expected): Promise<readonly string[]> {
  const { id, verdict, from, service, text, env } = expected;
  const why = JSON.parse(await command(['why', id, '--json'], env)) as WhyAnswer;
  const { culprit } = why;
  const isNamed = culprit?.from === from && culprit.service === service && culprit.text.includes(text);
  const isRetryThere = why.spans?.some(({ attempt, taskId }) => attempt === 2 && taskId === id);
  const of = `holdfast why ${id}${env === undefined ? '' : ' with one store'}`;
  return [
    ...why.backendFaults.map((fault) => `${of}: ${fault}`),
    ...(why.verdict === verdict ? [] : [`${of}: ${why.verdict} in place of ${verdict}`]),
    ...(isNamed ? [] : [`${of}: the ${from} '${text}' of ${service}, but ${JSON.stringify(culprit)}`]),
    ...(isRetryThere || env?.HOLDFAST_TRACES_URL === '' ? [] : [`${of}: a span of the second attempt`]),
  ];
}

const noLines = { HOLDFAST_LOGS_URL: '' };
const noTraces = { HOLDFAST_TRACES_URL: '' };

/** With the store of traces alone the last failed attempt is named by its span, also that of a later attempt. */
export async function missingByTraces(
  deployment: Deployment,
  submitted: Submitted,
): Promise<readonly string[]> {
  const of = { from: 'span', env: noLines } as const;
  const found = await Promise.all([
    missingOf(deployment, {
      ...{ ...of, id: submitted.bounce, verdict: 'DEAD_ATTEMPTS' },
      ...{ service: 'holdfast-worker', text: 'no such street, attempt 2' },
    }),
    missingOf(deployment, {
      ...{ ...of, id: submitted.sendInPython, verdict: 'SUCCEEDED' },
      ...{ service: 'python-worker', text: 'no paper' },
    }),
  ]);
  return found.flat();
}

/** With lines the error line of the last failed attempt is named. */
export async function missingByLines(
  deployment: Deployment,
  submitted: Submitted,
): Promise<readonly string[]> {
  const of = { from: 'log', service: 'holdfast-worker' } as const;
  const sent = { ...of, id: submitted.send, verdict: 'SUCCEEDED', text: 'the box has no stamps' };
  const found = await Promise.all([
    missingOf(deployment, sent),
    missingOf(deployment, { ...sent, env: noTraces }),
    missingOf(deployment, {
      ...of,
      ...{ id: submitted.bounce, verdict: 'DEAD_ATTEMPTS', text: 'no such street, attempt 2' },
    }),
  ]);
  return found.flat();
}

/** Returns what `holdfast slo` lacks, and prints nothing. */
export async function missingObjectives({ command }: Deployment): Promise<readonly string[]> {
  const text = await command(['slo']);
  return ['api-availability', 'start-latency', 'completion']
    .filter((name) => !text.includes(name))
    .map((name) => `holdfast slo: ${name}`);
}
