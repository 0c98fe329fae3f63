import type { Registered, Registry } from '../../../ports/registry.ts';
import type { AwsContext } from './context.ts';
import { isOwn } from './items/nonces.ts';
import { n, numberOf, s } from './items/rows.ts';
import {
  type Item,
  nameFromRegistrySort,
  registryKey,
  registryPartition,
  registrySort,
} from './schema/keys.ts';

function registeredOf(item: Item): Registered {
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
  const written = await context.calls.put('registry', {
    Item: {
      ...registryKey(kind, key),
      j: s(JSON.stringify(value ?? null)),
      rv: n(absent ? 1 : expectRev + 1),
      n: nonce,
    },
    ConditionExpression: absent ? 'attribute_not_exists(pk)' : 'rv = :rv',
    ...(absent ? {} : { ExpressionAttributeValues: { ':rv': n(expectRev) } }),
  });
  return written.ok || isOwn(written.current, nonce);
}

async function list(context: Context, kind: string, prefix: string): Promise<Registered[]> {
  const found: Registered[] = [];
  let from: Item | undefined;
  do {
    const page = await context.calls.query('registry', {
      KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
      ExpressionAttributeValues: { ':pk': s(registryPartition(kind)), ':prefix': s(registrySort(prefix)) },
      ConsistentRead: true,
      ExclusiveStartKey: from,
    });
    // Not every store that speaks this protocol minds the case of a prefix.
    found.push(...page.items.map(registeredOf).filter(({ key }) => key.startsWith(prefix)));
    from = page.next;
  } while (from !== undefined);
  return found;
}

/** One partition a kind, by consistent reads. */
export function createRegistry(context: Context): Registry {
  const { calls } = context;
  return {
    get: (kind, key) =>
      calls.during(async () => {
        const at = registryKey(kind, key);
        const item = (await calls.get('registry', [at], true)).at(at);
        return item && registeredOf(item);
      }),
    put: (kind, key, value, expectRev) => calls.during(() => put(context, kind, key, value, expectRev)),
    list: (kind, prefix) => calls.during(() => list(context, kind, prefix)),
  };
}
