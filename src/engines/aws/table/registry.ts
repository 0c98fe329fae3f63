import type { Registry, RegistryEntry } from '../../../ports/registry.ts';
import type { AwsContext } from './context.ts';
import { isOwnWrite } from './items/nonces.ts';
import { n, numberOf, s } from './items/rows.ts';
import {
  type Item,
  nameFromRegistrySort,
  registryKey,
  registryPartition,
  registrySort,
} from './schema/keys.ts';

function entryOf(item: Item): RegistryEntry {
  const value: unknown = JSON.parse(item.j?.S ?? 'null');
  return { key: nameFromRegistrySort(item.sk?.S ?? ''), value, rev: numberOf(item.rv) ?? 0 };
}

type Context = Pick<AwsContext, 'calls' | 'nonces'>;

async function put(
  context: Context,
  kind: string,
  key: string,
  value: unknown,
  expectRev: number | 'absent',
): Promise<boolean> {
  const nonce = context.nonces.next();
  const absent = expectRev === 'absent';
  const result = await context.calls.put('registry', {
    Item: {
      ...registryKey(kind, key),
      j: s(JSON.stringify(value ?? null)),
      rv: n(absent ? 1 : expectRev + 1),
      n: nonce,
    },
    ConditionExpression: absent ? 'attribute_not_exists(pk)' : 'rv = :rv',
    ...(absent ? {} : { ExpressionAttributeValues: { ':rv': n(expectRev) } }),
  });
  return result.ok || isOwnWrite(result.current, nonce);
}

async function list(context: Context, kind: string, prefix: string): Promise<RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  let from: Item | undefined;
  do {
    const page = await context.calls.query('registry', {
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': s(registryPartition(kind)), ':prefix': s(registrySort(prefix)) },
      ConsistentRead: true,
      ExclusiveStartKey: from,
    });
    // Some DynamoDB-compatible stores ignore the case of a prefix, so the registry entries are filtered again.
    entries.push(...page.items.map(entryOf).filter(({ key }) => key.startsWith(prefix)));
    from = page.next;
  } while (from !== undefined);
  return entries;
}

/**
 * Creates the registry (small shared records, such as queue settings) on the DynamoDB table. Each kind of registry
 * entry has one partition of the table; all reads are consistent.
 */
export function createRegistry(context: Context): Registry {
  const { calls } = context;
  return {
    get: (kind, key) =>
      calls.during(async () => {
        const at = registryKey(kind, key);
        const item = (await calls.get('registry', [at], true)).get(at);
        return item && entryOf(item);
      }),
    put: (kind, key, value, expectRev) => calls.during(() => put(context, kind, key, value, expectRev)),
    list: (kind, prefix) => calls.during(() => list(context, kind, prefix)),
  };
}
