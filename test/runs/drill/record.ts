/** Records the answers of an investigation, from which the specs of the decision tree are run. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WebhookBody } from '../alerts/webhook-body.ts';
import type { Named } from './causes.ts';
import type { Span } from './investigation/answers.ts';
import type { Step } from './investigation/investigation.ts';

/** An investigation as it took place. */
export interface Recording {
  readonly cause: Named;
  readonly alert: WebhookBody;
  readonly factor: number;
  readonly answers: readonly Pick<Step, 'language' | 'query' | 'answer'>[];
}

/** The most lines and spans of an answer that are kept. */
const keptLines = 3;
const keptSpans = 12;

function keptAnswer({ language, answer }: Step): unknown {
  if (language === 'logsql') return (answer as unknown[]).slice(0, keptLines);
  if (language !== 'jaeger') return answer;
  const ofWorkers = (answer as Span[]).filter(({ service }) => service === 'holdfast-worker');
  return ofWorkers.slice(0, keptSpans);
}

export function record(
  folder: string,
  cause: Named,
  alert: WebhookBody,
  factor: number,
  steps: readonly Step[],
): void {
  const answers = steps.map((step) => {
    const { language, query } = step;
    return { language, query, answer: keptAnswer(step) };
  });
  const recording: Recording = { cause, alert, factor, answers };
  mkdirSync(folder, { recursive: true });
  // The places in the sources that log lines name are those of every checkout.
  const text = JSON.stringify(recording, undefined, 2).replaceAll(`${process.cwd()}/`, '');
  writeFileSync(join(folder, `${cause}.json`), `${text}\n`);
}
