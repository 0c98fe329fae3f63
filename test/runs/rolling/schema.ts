/** The schema numbers of a version, as its own modules export them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { tableSchema } from '../../../src/engines/aws/table/schema/schema-number.ts';
import type { EngineName } from '../chaos/deployment.ts';
import type { Version } from './versions.ts';

export interface Schema {
  /** The number of the data that the version writes. */
  readonly writes: number;
  /** The highest number that it reads. */
  readonly reads: number;
}

interface SchemaModule {
  readonly schemaVersion?: number;
  readonly tableSchema?: typeof tableSchema;
}

const modules: Readonly<Record<EngineName, string>> = {
  sqlite: 'src/engines/sqlite/file/schema.ts',
  aws: 'src/engines/aws/table/schema/schema-number.ts',
};
/** The schema of the table of a version that has no module with its number. */
const firstOfTable: Schema = { writes: 1, reads: 1 };

/** @throws Error if the version has the module, and the module exports no number by the name that this tree uses. */
export async function schemaOf({ folder }: Pick<Version, 'folder'>, engine: EngineName): Promise<Schema> {
  const path = join(folder, modules[engine]);
  if (engine === 'aws' && !existsSync(path)) return firstOfTable;
  const { schemaVersion, tableSchema }: SchemaModule = await import(pathToFileURL(path).href);
  if (engine === 'aws' && tableSchema !== undefined)
    return { writes: tableSchema.writes, reads: tableSchema.reads.to };
  // A store in a file is upgraded when it is opened: a build reads its own schema and lower ones.
  if (engine === 'sqlite' && schemaVersion !== undefined)
    return { writes: schemaVersion, reads: schemaVersion };
  throw new Error(`${path} exports no schema number by the name of this tree`);
}
