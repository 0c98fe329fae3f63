import type { Registry, RegistryEntry } from '../../ports/registry.ts';
import type { SqliteContext } from './context.ts';
import type { GroupCommitter } from './group-commit.ts';

export function createRegistry(context: SqliteContext, committer: GroupCommitter): Registry {
  const { sql } = context;
  return {
    async get(kind, key): Promise<RegistryEntry | undefined> {
      const row = committer.read(() => sql.registryGet.get(kind, key)) as unknown as
        | [number, string]
        | undefined;
      return row === undefined ? undefined : { key, rev: row[0], value: JSON.parse(row[1]) };
    },

    put(kind, key, value, expectRev): Promise<boolean> {
      const text = JSON.stringify(value ?? null);
      return committer.write(() => {
        const { changes } =
          expectRev === 'absent'
            ? sql.registryInsert.run(kind, key, text)
            : sql.registryUpdate.run(text, kind, key, expectRev);
        context.stats.rowsWritten += Number(changes);
        return changes === 1;
      });
    },

    async list(kind, prefix): Promise<readonly RegistryEntry[]> {
      const rows = committer.read(() => sql.registryList.all(kind, prefix, prefix, prefix)) as unknown as [
        string,
        number,
        string,
      ][];
      return rows.map(([key, rev, value]) => ({ key, rev, value: JSON.parse(value) }));
    },
  };
}
