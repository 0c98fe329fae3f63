import type { Registry, RegistryEntry } from '../../ports/registry.ts';
import type { Operate } from './operate.ts';

export type Kinds = Map<string, Map<string, RegistryEntry>>;

/** Returns the registry for one connected process. Values are copied, as if they were stored as JSON. */
export function registry(kinds: Kinds, operate: Operate): Registry {
  const copy = ({ key, value, rev }: RegistryEntry): RegistryEntry => ({
    key,
    value: structuredClone(value),
    rev,
  });

  function put(kind: string, key: string, value: unknown, expectRev: number | 'absent'): boolean {
    const entries = kinds.get(kind) ?? new Map<string, RegistryEntry>();
    kinds.set(kind, entries);
    const current = entries.get(key);
    if ((current?.rev ?? 'absent') !== expectRev) return false;
    entries.set(key, copy({ key, value, rev: (current?.rev ?? 0) + 1 }));
    return true;
  }

  function list(kind: string, prefix: string): RegistryEntry[] {
    const found = [...(kinds.get(kind)?.values() ?? [])].filter((entry) => entry.key.startsWith(prefix));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1)).map(copy);
  }

  return {
    get: (kind, key) =>
      operate('registry.get', 1, () => {
        const entry = kinds.get(kind)?.get(key);
        return entry === undefined ? undefined : copy(entry);
      }),
    put: (kind, key, value, expectRev) => operate('registry.put', 1, () => put(kind, key, value, expectRev)),
    list: (kind, prefix) => operate('registry.list', 1, () => list(kind, prefix)),
  };
}
