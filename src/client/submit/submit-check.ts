/**
 * What a submission says beside its input, checked before it waits with others: a batch is encoded as a whole, so
 * that what the wire cannot carry would fail its neighbours. Callers in JavaScript may give anything at all.
 */

import { invalid, type Violation } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { utf8Bytes } from '../../core/submission/check.ts';
import { priorities } from '../../core/submission/submission.ts';
import { badName } from '../contract/task.ts';

export interface Said {
  readonly idempotencyKey: unknown;
  readonly queue: unknown;
  readonly orderingKey: unknown;
  readonly priority: unknown;
  readonly whenDead: unknown;
  readonly tags: unknown;
  readonly parentId: unknown;
  readonly traceparent: unknown;
}

const illFormed = 'holds half of a surrogate pair; send well-formed Unicode';
const answersToDead = ['return', 'retry'] as const;

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function textProblem(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') return `is ${kindOf(value)}; give a string`;
  if (value.length > limits.keyChars) {
    return `has ${value.length.toLocaleString('en')} characters; at most ${limits.keyChars}`;
  }
  return value.isWellFormed() ? undefined : illFormed;
}

function nameProblem(value: unknown): string | undefined {
  return typeof value === 'string' ? badName('', value)?.description : textProblem(value ?? null);
}

function wordProblem(value: unknown, known: readonly string[]): string | undefined {
  if (value === undefined || known.includes(value as string)) return undefined;
  return `is ${typeof value === 'string' ? `'${value}'` : kindOf(value)}; one of ${known.join(', ')}`;
}

function tagProblem(tag: unknown): string | undefined {
  if (typeof tag !== 'string') return `is ${kindOf(tag)}; give a string`;
  if (tag === '') return 'is empty';
  const bytes = utf8Bytes(tag);
  if (bytes > limits.tagBytes) return `has ${bytes.toLocaleString('en')} bytes; at most ${limits.tagBytes}`;
  return tag.isWellFormed() ? undefined : illFormed;
}

function tagViolations(tags: unknown): Violation[] {
  if (tags === undefined) return [];
  const tell = (description: string): Violation[] => [{ field: 'tags', description }];
  if (!Array.isArray(tags)) return tell(`is ${kindOf(tags)}; give a list of strings`);
  if (tags.length > limits.tags) {
    return tell(`has ${tags.length.toLocaleString('en')} tags; at most ${limits.tags}`);
  }
  const found: Violation[] = [];
  for (let i = 0; i < tags.length; i++) {
    const description = tagProblem(tags[i]);
    if (description !== undefined) found.push({ field: `tags[${i}]`, description });
  }
  return found;
}

/** @throws HoldfastError INVALID_ARGUMENT, reason BAD_FIELD, with every field that is wrong. */
export function ensureSendable(said: Said): void {
  const found = tagViolations(said.tags);
  const tell = (field: keyof Said, description: string | undefined): void => {
    if (description !== undefined) found.push({ field, description });
  };
  tell('idempotencyKey', textProblem(said.idempotencyKey ?? null));
  tell('queue', nameProblem(said.queue));
  tell('orderingKey', textProblem(said.orderingKey));
  tell('priority', wordProblem(said.priority, priorities));
  tell('whenDead', wordProblem(said.whenDead, answersToDead));
  tell('parentId', textProblem(said.parentId));
  tell('traceparent', textProblem(said.traceparent));
  if (found.length > 0) throw invalid(found);
}
