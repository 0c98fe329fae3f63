/** Reads the file of a store while its server holds it: the server lets no other process open it, so that a copy is read. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Runs a read of a copy of the file and of its log of writes. */
export function readCopy<T>(file: string, read: (database: DatabaseSync) => T): T {
  const dir = mkdtempSync(join(dirname(file), 'copy-'));
  try {
    for (const end of ['', '-wal']) {
      if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, join(dir, `copy.db${end}`));
    }
    const database = new DatabaseSync(join(dir, 'copy.db'));
    try {
      return read(database);
    } finally {
      database.close();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
