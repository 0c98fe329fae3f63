/**
 * Copies values of any kind to values that `JSON.stringify` can take. No function of this file throws, and each does a
 * bounded amount of work, however large, deep or circular the value is.
 */
import { clipChars } from '../clip.ts';
import { limits } from '../limits.ts';
import { isInstance, readProperty } from './probe.ts';

/** The depth below which the objects of a value are left out of its copy. */
const maxDepth = 8;
const leftOut = '…';
const unreadable = '(it cannot be converted to text)';
/** The characters that a value without a text of its own counts: a number, or the punctuation of an object. */
const punctuationChars = 4;

/**
 * Returns a copy of a value whose strings, keys included, have at most about `maxChars` characters in all, each one at
 * most 8,192. A part that is left out, or that JSON cannot carry, is replaced by a text about it. An error becomes its
 * name and its message.
 */
export function plainCopy(value: unknown, maxChars: number): unknown {
  return new PlainCopy(maxChars, false).of(value, []);
}

/**
 * Returns the fields of a log line within `limits.logLineChars`. A field that a logger can write as it is stays as it is;
 * any other is replaced by a plain copy. An Error becomes the field `err`, a list the field `logged`.
 */
export function boundedFields(fields: object): Record<string, unknown> {
  const copy = new PlainCopy(limits.logLineChars, true);
  try {
    if (isInstance(fields, Error)) return { err: copy.unlessComplete(fields) };
    if (Array.isArray(fields) || ArrayBuffer.isView(fields)) return { logged: copy.of(fields, []) };
    const bounded: Record<string, unknown> = {};
    for (const key of Object.keys(fields)) {
      if (copy.full) break;
      bounded[clipChars(key, limits.keyChars)] = copy.unlessComplete(
        (fields as Record<string, unknown>)[key],
      );
    }
    return bounded;
  } catch {
    const plain = plainCopy(fields, limits.logLineChars);
    return typeof plain === 'object' && plain !== null ? { ...plain } : { logged: plain };
  }
}

class PlainCopy {
  readonly #withStacks: boolean;
  #charsLeft: number;
  /** False once the copy differs from its value: a part was left out, cut or could not be read. */
  #complete = true;

  constructor(maxChars: number, withStacks: boolean) {
    this.#charsLeft = maxChars;
    this.#withStacks = withStacks;
  }

  get full(): boolean {
    return this.#charsLeft <= 0;
  }

  /** Returns the value itself if it is an object that the copy holds completely, else the copy. */
  unlessComplete(value: unknown): unknown {
    this.#complete = true;
    const copy = this.of(value, []);
    return this.#complete && typeof value === 'object' ? value : copy;
  }

  of(value: unknown, above: readonly object[]): unknown {
    try {
      switch (typeof value) {
        case 'string':
          return this.#text(value);
        case 'bigint':
          // The digits of a very large number take long to compute.
          return this.#instead(
            BigInt.asIntN(256, value) === value ? `${value}` : 'a bigint of over 256 bits',
          );
        case 'symbol':
          return this.#text(`Symbol(${clipChars(value.description ?? '', limits.messageBytes)})`);
        case 'function': {
          const name = readProperty(value, 'name');
          return this.#text(typeof name === 'string' && name !== '' ? `function ${name}` : 'a function');
        }
        case 'object':
          if (value !== null) return this.#object(value, above);
      }
      this.#charsLeft -= punctuationChars;
      return value;
    } catch {
      return this.#instead(unreadable);
    }
  }

  #text(text: string): string {
    const short = clipChars(text, Math.max(0, Math.min(this.#charsLeft, limits.messageBytes)));
    this.#charsLeft -= short.length + punctuationChars;
    return short.length < text.length ? this.#instead(`${short}${leftOut}`) : short;
  }

  /** Returns a text that stands in the copy for something else. */
  #instead(text: string): string {
    this.#complete = false;
    return text;
  }

  #object(value: object, above: readonly object[]): unknown {
    if (above.includes(value)) return this.#instead('(circular)');
    if (above.length >= maxDepth || this.full) return this.#instead(leftOut);
    const inside = [...above, value];
    if (isInstance(value, Error)) return this.#error(value, inside);
    if (ArrayBuffer.isView(value)) return this.#instead(`${value.byteLength} bytes`);
    if (isInstance(value, String)) return this.#text(String.prototype.valueOf.call(value));
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.of(value.toJSON(''), inside);
    return Array.isArray(value)
      ? this.#items(value, inside)
      : this.#fields(value, Object.keys(value), inside);
  }

  #error(error: Error, above: readonly object[]): object {
    const keys = ['name', 'message'];
    if (this.#withStacks) {
      for (const key of ['stack', 'cause', 'errors', ...Object.keys(error)])
        if (!keys.includes(key) && Reflect.has(error, key)) keys.push(key);
    }
    return this.#fields(error, keys, above);
  }

  #items(items: readonly unknown[], above: readonly object[]): unknown[] {
    const copy: unknown[] = [];
    for (let i = 0; i < items.length; i++) {
      if (this.full) {
        copy.push(this.#instead(leftOut));
        break;
      }
      copy.push(this.of(items[i], above));
    }
    return copy;
  }

  #fields(fields: object, keys: readonly string[], above: readonly object[]): object {
    const copy: [string, unknown][] = [];
    for (const key of keys) {
      if (this.full) {
        copy.push([leftOut, this.#instead(leftOut)]);
        break;
      }
      const name = this.#text(key);
      let value: unknown;
      try {
        value = (fields as Record<string, unknown>)[key];
      } catch {
        value = this.#instead(unreadable);
      }
      copy.push([name, this.of(value, above)]);
    }
    // Object.fromEntries keeps a key such as __proto__ as a key.
    return Object.fromEntries(copy);
  }
}
