import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { prepareSchema } from '../file/schema.ts';
import { prepareStatements } from './statements.ts';

/** Prepares the SQL statements of the hot path on an empty database, and records their texts. */
function prepareAndRecord(): { db: DatabaseSync; texts: string[] } {
  const db = new DatabaseSync(':memory:');
  prepareSchema(db, ':memory:');
  const texts: string[] = [];
  const recorder = new Proxy(db, {
    get: (target, name) =>
      name === 'prepare'
        ? (text: string) => {
            texts.push(text);
            return target.prepare(text);
          }
        : Reflect.get(target, name),
  });
  prepareStatements(recorder);
  return { db, texts };
}

describe('the SQL statements of the hot path', () => {
  const { db, texts } = prepareAndRecord();
  const planned = texts.filter(
    (text) => /^\s*(SELECT|UPDATE|DELETE)/.test(text) && !text.includes('max(seq)'),
  );

  it.each(planned)('include %s, which scans no table and sorts nothing', (text) => {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all() as { detail: string }[];
    for (const { detail } of plan) {
      expect(detail).not.toMatch(/^SCAN (t|b|task|body|lane|registry)\b/);
      expect(detail).not.toMatch(/TEMP B-TREE/);
    }
  });

  it('include more than twenty whose query plan is checked', () => {
    expect(planned.length).toBeGreaterThan(20);
  });
});
