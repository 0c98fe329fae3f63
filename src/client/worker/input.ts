import { readSpec } from '../../core/codec/spec.ts';
import { fromPayload } from '../contract/json.ts';
import type { Task } from '../contract/task.ts';
import { check, tell } from '../contract/validate.ts';

/** What was submitted is not what this worker's contract says. No later attempt by it could do better. */
export class ContractMismatch extends Error {
  override readonly name: string = 'CONTRACT_MISMATCH';
}

function mismatch(task: Task, version: number, why: string): ContractMismatch {
  const told = `CONTRACT_MISMATCH: what was submitted as '${task.name}' version ${version} does not fit this worker's contract, version ${task.contract.version}: ${why}.`;
  const help =
    version < task.contract.version
      ? `Give defineTask an upgrade from ${version}, deploy the worker and retry the task.`
      : 'Deploy the same contract to submitters and workers and retry the task.';
  return new ContractMismatch(`${told} ${help}`);
}

/** Step by step from the version it was submitted with to this worker's; a step without an upgrade changes nothing. */
function upgraded(task: Task, from: number, input: unknown): unknown {
  let value = input;
  for (let version = from; version < task.contract.version; version++) {
    const step = task.contract.upgrade[version];
    if (step === undefined) continue;
    try {
      value = step(value);
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      throw mismatch(task, from, `the upgrade from version ${version} failed (${why})`);
    }
  }
  return value;
}

/**
 * The handler's form of what was submitted: upgraded, validated, transformed. A promise only where the schema is
 * asynchronous.
 * @throws ContractMismatch
 */
export function inputOf(task: Task, spec: Uint8Array): unknown {
  const { payload, typeVersion } = readSpec(spec);
  let sent: unknown;
  try {
    sent = fromPayload(payload);
  } catch (thrown) {
    throw mismatch(task, typeVersion, (thrown as Error).message);
  }
  const checked = check(task.input, upgraded(task, typeVersion, sent));
  const take = (result: Awaited<typeof checked>): unknown => {
    if (result.ok) return result.value;
    throw mismatch(task, typeVersion, tell(result.violations));
  };
  return checked instanceof Promise ? checked.then(take) : take(checked);
}
