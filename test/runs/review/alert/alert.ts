/** The sixth question: an alert fires, and nothing but traces, metrics and logs leads to its cause. */
import { seededRandom } from '../../../../src/testing/random.ts';
import { factor } from '../../alerts/alerting.ts';
import { ensureInstalled } from '../../alerts/programs.ts';
import { type Cause, causes } from '../../drill/causes.ts';
import { runDrill } from '../../drill/run.ts';
import type { Evidence, Question } from '../question.ts';

export function causeOf(seed: number): Cause {
  return causes[Math.floor(seededRandom(seed)() * causes.length)] as Cause;
}

async function drill(evidence: Evidence, cause: Cause): Promise<void> {
  const { alert, firedMs, named, steps, error, seconds } = await runDrill(cause, (line) =>
    evidence.see(line),
  );
  evidence.see(
    `${alert ?? 'no alert'} after ${(firedMs / 1_000).toFixed(1)} s; ${steps.length} queries; named: ${named}; injected: ${cause}; ${seconds.toFixed(0)} s in all`,
  );
  evidence.expect(
    named === cause,
    `${named} was named, and ${cause} injected${error === undefined ? '' : `: ${error}`}`,
  );
}

export const firingAlert: Question = {
  number: 6,
  title: 'FastBudgetBurn, or another page, fires at 2am: which cause do traces, metrics and logs alone name?',
  async answer(evidence, { seed, allCauses }) {
    const advice = ensureInstalled(['prometheus', 'prometheus-alertmanager']);
    if (advice !== undefined) throw new Error(advice);
    const chosen = allCauses ? causes : [causeOf(seed)];
    evidence.act(
      `${allCauses ? 'each of ten faults' : `one of ten faults, drawn by the seed ${seed},`} is injected into a running site whose alerts have lengths of time ${factor} times shorter; an investigator, who is a process with no file and no program, follows the runbook`,
    );
    for (const cause of chosen) await drill(evidence, cause);
  },
};
