import type { Registry, RegistryEntry } from '../../ports/registry.ts';
import type { SqliteContext } from './context.ts';
import { storeCorrupt } from './file/failures.ts';
import type { GroupCommitter } from './group-commit.ts';
import { registryChecksum } from './rows/checksums.ts';

type RegistryRow = [key: string, rev: number, value: string, sum: number | null];

/** Decodes an entry of the registry. Throws STORE_CORRUPT if its checksum does not match. */
function entryOf(kind: string, [key, rev, value, sum]: RegistryRow, path: string): RegistryEntry {
  if (sum !== null && sum !== registryChecksum(kind, key, rev, value))
    throw storeCorrupt(path, `the entry '${key}' of the registry`);
  return { key, rev, value: JSON.parse(value) };
}

export function createRegistry(context: SqliteContext, committer: GroupCommitter): Registry {
  const { sql } = context;
  return {
    async get(kind, key): Promise<RegistryEntry | undefined> {
      return committer.read(() => {
        const row = sql.registryGet.get(kind, key) as unknown as [number, string, number | null] | undefined;
        return row === undefined ? undefined : entryOf(kind, [key, ...row], context.path);
      });
    },

    put(kind, key, value, expectRev): Promise<boolean> {
      const text = JSON.stringify(value ?? null);
      return committer.write(() => {
        const { changes } =
          expectRev === 'absent'
            ? sql.registryInsert.run(kind, key, text, registryChecksum(kind, key, 1, text))
            : sql.registryUpdate.run(
                text,
                registryChecksum(kind, key, expectRev + 1, text),
                kind,
                key,
                expectRev,
              );
        context.stats.rowsWritten += Number(changes);
        return changes === 1;
      });
    },

    async list(kind, prefix): Promise<readonly RegistryEntry[]> {
      return committer.read(() => {
        const rows = sql.registryList.all(kind, prefix, prefix, prefix) as unknown as RegistryRow[];
        return rows.map((row) => entryOf(kind, row, context.path));
      });
    },
  };
}
