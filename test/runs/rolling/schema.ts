/** The schema numbers of a version, read from its sources, since an older version has no other place that states them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineName } from '../chaos/deployment.ts';
import type { Version } from './versions.ts';

export interface Schema {
  /** The number of the data that the version writes. */
  readonly writes: number;
  /** The highest number that it reads. */
  readonly reads: number;
}

const places: Readonly<Record<EngineName, { readonly file: string; readonly pattern: RegExp }>> = {
  sqlite: { file: 'src/engines/sqlite/file/schema.ts', pattern: /schemaVersion = (\d+)/ },
  aws: {
    file: 'src/engines/aws/table/schema/schema-number.ts',
    pattern: /writes: (\d+),\s+reads: Object\.freeze\(\{ from: \d+, to: (\d+) \}\)/,
  },
};
/** The schema of a version that states none. */
const first = '1';

export function schemaOf({ folder }: Pick<Version, 'folder'>, engine: EngineName): Schema {
  const { file, pattern } = places[engine];
  const path = join(folder, file);
  const found = existsSync(path) ? pattern.exec(readFileSync(path, 'utf8')) : [];
  if (found === null) throw new Error(`${path} states no schema number in the form that this run reads`);
  const [, writes = first, reads = writes] = found;
  return { writes: Number(writes), reads: Number(reads) };
}
