import { readSpec } from '../../core/codec/spec.ts';
import { messageOf } from '../../core/untrusted.ts';
import { fromPayload } from '../contract/json.ts';
import type { TaskType } from '../contract/task.ts';
import { check, formatViolations } from '../contract/validate.ts';

/**
 * Thrown if the submitted input does not fit this worker's contract. The task becomes dead: a retry would fail as
 * well.
 */
export class ContractMismatch extends Error {
  override readonly name: string = 'CONTRACT_MISMATCH';
}

function mismatch(task: TaskType, version: number, why: string): ContractMismatch {
  const message = `CONTRACT_MISMATCH: the input of '${task.name}', submitted with version ${version}, does not fit this worker's contract, version ${task.contract.version}: ${why}.`;
  const help =
    version < task.contract.version
      ? `Give defineTask an upgrade from ${version}, deploy the worker and redrive the task.`
      : 'Deploy the same contract to submitters and workers and retry the task.';
  return new ContractMismatch(`${message} ${help}`);
}

/**
 * Upgrades an input step by step from the version it was submitted with to this worker's version. A version without an
 * upgrade function leaves the input unchanged.
 */
function upgraded(task: TaskType, from: number, input: unknown): unknown {
  let value = input;
  for (let version = from; version < task.contract.version; version++) {
    const step = task.contract.upgrade[version];
    if (step === undefined) continue;
    try {
      value = step(value);
    } catch (thrown) {
      throw mismatch(task, from, `the upgrade from version ${version} failed (${messageOf(thrown)})`);
    }
  }
  return value;
}

/**
 * Decodes, upgrades, validates and transforms the submitted input for the handler. Returns a promise only if the
 * schema is asynchronous.
 * @throws ContractMismatch
 */
export function inputOf(task: TaskType, spec: Uint8Array): unknown {
  const { payload, typeVersion } = readSpec(spec);
  let submitted: unknown;
  try {
    submitted = fromPayload(payload);
  } catch (thrown) {
    throw mismatch(task, typeVersion, (thrown as Error).message);
  }
  const checked = check(task.input, upgraded(task, typeVersion, submitted));
  const take = (result: Awaited<typeof checked>): unknown => {
    if (result.ok) return result.value;
    throw mismatch(task, typeVersion, formatViolations(result.violations));
  };
  return checked instanceof Promise ? checked.then(take) : take(checked);
}
