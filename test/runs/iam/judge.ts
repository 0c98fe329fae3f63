import type { Account, Role } from './account.ts';
import { kindOf, type RecordedCall } from './calls.ts';
import { faultsOf, grantsIn, unusedGrants } from './grants.ts';
import { mustDeny, type OtherNames } from './must-deny.ts';
import { inputFor, Replay } from './replay.ts';
import { reasonOfUnused } from './roles.ts';

export interface Verdict {
  readonly role: string;
  /** The recorded kinds of calls of the role's processes, and those of them that its policies allow. */
  readonly calls: number;
  readonly allowed: number;
  readonly grants: number;
  readonly unused: readonly string[];
  readonly mustDeny: number;
  readonly denied: number;
  readonly faults: readonly string[];
}

/** Sends all recorded calls of a role's processes, and all that it must not do, with its credentials. */
export async function judgeRole(
  { proved, documents, names, credentials }: Role,
  calls: readonly RecordedCall[],
  { aws }: Account,
): Promise<Verdict> {
  const { name, callers } = proved;
  const own = distinct(calls.filter(({ caller }) => callers.includes(caller)));
  const replay = new Replay(await credentials());
  const faults: string[] = [];
  for (const caller of callers) {
    if (!own.some((call) => call.caller === caller)) faults.push(`no call of ${caller} was recorded`);
  }
  let allowed = 0;
  for (const call of own) {
    if (await replay.isDenied(call.service, call.operation, inputFor(call, names)))
      faults.push(`denied: ${kindOf(call)}`);
    else allowed++;
  }
  const other: OtherNames = {
    table: `${names.table}-2`,
    queueUrl: names.queueUrl(names.queue.replace('__', '-2__')),
    deadQueueUrl: names.queueUrl(names.deadQueue.replace('__', '-2__')),
  };
  const forbidden = mustDeny(name, names, other);
  let denied = 0;
  for (const { service, operation, input, what } of forbidden) {
    if (await replay.isDenied(service, operation, input)) denied++;
    else faults.push(`allowed, and must not be: ${operation} on ${what}`);
  }
  const withoutTls = new Replay({ ...(await credentials()), endpoint: aws.plainEndpoint });
  const inPlainText = { QueueUrl: names.queueUrl(names.queue) };
  const isOfStack = 'stack' in proved.from;
  if (isOfStack && (await withoutTls.isDenied('SQS', 'ReceiveMessage', inPlainText))) denied++;
  else if (isOfStack) faults.push('allowed, and must not be: ReceiveMessage without TLS');
  withoutTls.close();
  replay.close();
  const grants = grantsIn(documents);
  const unused = unusedGrants(grants, own).filter((grant) => reasonOfUnused(name, grant) === undefined);
  faults.push(...unused.map((grant) => `never used: ${grant}`), ...(await faultsOf(grants)));
  const mustDenyAll = forbidden.length + Number(isOfStack);
  const counts = { calls: own.length, allowed, grants: grants.length, mustDeny: mustDenyAll, denied };
  return { role: name, ...counts, unused, faults };
}

/**
 * Returns the recorded calls that the stand-in allows to a role without any policy. It would prove nothing about them, so
 * there must be none.
 */
export async function unenforced(calls: readonly RecordedCall[], account: Account): Promise<string[]> {
  const replay = new Replay(account.nobody);
  const [role] = account.roles;
  if (role === undefined) return [];
  const found: string[] = [];
  for (const call of distinct(calls)) {
    if (!(await replay.isDenied(call.service, call.operation, inputFor(call, role.names))))
      found.push(kindOf(call));
  }
  replay.close();
  return found;
}

/** Returns one call of each kind. */
function distinct(calls: readonly RecordedCall[]): RecordedCall[] {
  return [...new Map(calls.map((call) => [kindOf(call), call])).values()];
}
