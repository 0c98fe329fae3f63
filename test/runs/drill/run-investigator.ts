/** Runs an investigator in a process of its own, which knows nothing of this one but what it is given. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CertificateFiles } from '../../../src/tls/load.ts';
import type { Stack } from '../backends/stack.ts';
import type { Named } from './causes.ts';
import type { Step } from './investigation/investigation.ts';
import type { Assignment } from './investigation/investigator-process.ts';
import { rightsOf } from './rights.ts';
import { environmentOf } from './site.ts';

const program = fileURLToPath(new URL('./investigation/investigator-process.ts', import.meta.url));
const tied = fileURLToPath(new URL('../deploys/tied-to-parent.ts', import.meta.url));
const limitMs = 60_000;

export interface Findings {
  readonly named: Named;
  /** Why the investigation ended early. */
  readonly error: string | undefined;
  readonly steps: readonly Step[];
}

interface Given {
  readonly stack: Stack;
  readonly address: string;
  readonly operator: CertificateFiles;
  readonly alert: Assignment['alert'];
  readonly factor: number;
}

/** Returns what the investigator finds. `onStep` gets each step as soon as it is done. */
export async function runInvestigator(given: Given, onStep: (step: Step) => void): Promise<Findings> {
  const { stack, address, operator, alert, factor } = given;
  const cwd = mkdtempSync(join(tmpdir(), 'holdfast-investigator-'));
  const rights = rightsOf([dirname(operator.ca), cwd]);
  const child = spawn(process.execPath, [...rights, '--import', tied, program], {
    cwd,
    // Nothing of this process's environment: neither its arguments nor its variables.
    env: {
      ...environmentOf(address, operator),
      HOLDFAST_TRACES_URL: `jaeger+${stack.tracesUrl}`,
      HOLDFAST_LOGS_URL: `victorialogs+${stack.logsUrl}`,
      HOLDFAST_PROMETHEUS_URL: stack.prometheusUrl,
      HOLDFAST_LOG: 'silent',
    },
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
  });
  const late = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const { tracesUrl, logsUrl, prometheusUrl } = stack;
  const addresses = { prometheus: prometheusUrl, jaeger: tracesUrl, victoriaLogs: logsUrl };
  const assignment: Assignment = { alert, factor, ...addresses };
  child.stdin?.end(JSON.stringify(assignment));
  const steps: Step[] = [];
  let findings: Findings | undefined;
  let [rest, log] = ['', ''];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = `${rest}${text}`.split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const { step, named, error } = JSON.parse(part) as { step?: Step; named: Named; error?: string };
      if (step === undefined) findings = { named, error, steps };
      else {
        steps.push(step);
        onStep(step);
      }
    }
  });
  await once(child, 'close');
  clearTimeout(late);
  rmSync(cwd, { recursive: true, force: true });
  return findings ?? { named: 'unknown', error: `the investigator ended early: ${log}`, steps };
}
