/**
 * The end of the way of an alert: the shipped rules with shortened lengths of time, Alertmanager, and a webhook in this
 * process that gets what an operator's pager would get.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { lengthsBy } from '../../../scripts/rules/definition.ts';
import {
  objectiveGroups,
  operationalGroups,
  standardOptions,
  yamlText,
} from '../../../scripts/rules/files.ts';
import { type Program, startProgram } from './programs.ts';
import type { WebhookBody } from './webhook-body.ts';

/** The factor by which all lengths of time in the rules are shorter than those that are shipped. */
export const factor = 60;

const shortened = { ...standardOptions, lengths: lengthsBy(factor) };

export function shortenedObjectives(): string {
  return yamlText({ groups: objectiveGroups(shortened) }, '');
}

/**
 * Returns all rules. Their windows, how long a condition must hold, and the age of a task that has not begun are shorter by
 * the factor. The limits of what is not shortened itself stay: the lag of a loop, the validity of a certificate, a size.
 */
export function shortenedRules(): string {
  return yamlText({ groups: [...objectiveGroups(shortened), ...operationalGroups(shortened)] }, '');
}

/** One alert of a webhook that was received. */
export interface Notice {
  readonly status: string;
  readonly startsAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly atMs: number;
  readonly body: WebhookBody;
}

export interface Receiver {
  readonly notices: readonly Notice[];
  readonly port: number;
  close(): void;
}

/** Receives the notices of Alertmanager on a free port. */
export async function startReceiver(): Promise<Receiver> {
  const notices: Notice[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      const body = JSON.parse(text) as WebhookBody;
      const atMs = performance.now();
      for (const { status, startsAt, labels } of body.alerts ?? [])
        notices.push({ status, startsAt, labels, atMs, body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { notices, port, close: () => server.close() };
}

/** Starts Alertmanager with its files in the folder. It sends each alert to the webhook at once. */
export function startAlertmanager(
  dir: string,
  port: number,
  webhookPort: number,
  start: (argv: readonly string[]) => Program = startProgram,
): Program {
  mkdirSync(dir, { recursive: true });
  const config = {
    route: {
      receiver: 'webhook',
      group_by: ['alertname', 'sloth_slo'],
      group_wait: '0s',
      group_interval: '1s',
      repeat_interval: '1h',
    },
    receivers: [
      {
        name: 'webhook',
        webhook_configs: [{ url: `http://127.0.0.1:${webhookPort}/`, send_resolved: true }],
      },
    ],
  };
  writeFileSync(join(dir, 'alertmanager.yml'), yamlText(config, ''));
  return start([
    'prometheus-alertmanager',
    `--config.file=${join(dir, 'alertmanager.yml')}`,
    `--storage.path=${join(dir, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
  ]);
}
