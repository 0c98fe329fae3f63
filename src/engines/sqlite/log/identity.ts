import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/**
 * The table of one row by which a store's file and its write-ahead log are recognised as parts of one store. The row is
 * plain text, so that it can be found in a page of the log.
 */
export const identityTable = `
CREATE TABLE identity (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
`;

/** The identity of a store, as the row in its file or in its write-ahead log says. */
export interface StoreIdentity {
  /** The random id that the store got when its file was created. */
  readonly store: string;
  /** How many times the write-ahead log was begun anew. Its first commit always writes the number. */
  readonly logNumber: number;
}

const numberDigits = 12;
const pattern = /holdfast store ([0-9a-f-]{36}) log (\d{12})/;

export function identityText({ store, logNumber }: StoreIdentity): string {
  return `holdfast store ${store} log ${String(logNumber).padStart(numberDigits, '0')}`;
}

export function identityOf(text: string): StoreIdentity | undefined {
  const [, store, logNumber] = pattern.exec(text) ?? [];
  return store === undefined ? undefined : { store, logNumber: Number(logNumber) };
}

/** Returns the identity of an open store. A store without one gets the given id. */
export function ensureIdentity(db: DatabaseSync, newId: () => string): StoreIdentity {
  const row = db.prepare('SELECT text FROM identity WHERE id = 1').get();
  const known = row === undefined ? undefined : identityOf(String(row.text));
  if (known !== undefined) return known;
  const identity = { store: newId(), logNumber: 0 };
  db.prepare('INSERT OR REPLACE INTO identity (id, text) VALUES (1, ?)').run(identityText(identity));
  return identity;
}

/** Returns the identity in a page of the identity's table. */
export function identityIn(page: Buffer): StoreIdentity | undefined {
  return identityOf(page.toString('latin1'));
}

/** The identity in a store's file alone, and the number of its page. */
export interface FileIdentity {
  readonly page: number | undefined;
  readonly identity: StoreIdentity | undefined;
}

/**
 * Reads the identity in a store's file without its write-ahead log and without a lock. Returns undefined if the file
 * cannot be read; SQLite explains why when it opens the file.
 */
export function readFileIdentity(path: string): FileIdentity | undefined {
  let db: DatabaseSync | undefined;
  try {
    const url = pathToFileURL(path);
    url.searchParams.set('immutable', '1');
    db = new DatabaseSync(url, { readOnly: true });
    const table = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'identity'").get();
    if (table === undefined) return { page: undefined, identity: undefined };
    const row = db.prepare('SELECT text FROM identity WHERE id = 1').get();
    return { page: Number(table.rootpage), identity: identityOf(String(row?.text)) };
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}
