/** Predicts the item after a write, as far as the limits of indexes need to know it before the write. */
import type { Json } from '../../call.ts';
import type { AttributeValue, Item } from '../lag/item.ts';
import type { Names, Touch } from './touches.ts';

/** Marks an attribute that changes in a way that is not computed here: by a function, a sum or a nested path. */
export const unclear: AttributeValue = { unclear: true };

/** Splits a text at the commas outside parentheses. */
function listed(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const [i, char] of [...text].entries()) {
    if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  return [...parts, text.slice(from)].map((part) => part.trim());
}

const clause = /\b(SET|REMOVE|ADD|DELETE)\s+(.*?)(?=\b(?:SET|REMOVE|ADD|DELETE)\s|$)/gis;

function updated(item: Item, body: Json): Item {
  const names = (body.ExpressionAttributeNames ?? {}) as Names;
  const values = (body.ExpressionAttributeValues ?? {}) as Item;
  const next: Record<string, AttributeValue> = { ...item };
  for (const [, verb = '', list = ''] of String(body.UpdateExpression ?? '').matchAll(clause)) {
    for (const action of listed(list)) {
      const [, path = '', rest = ''] = /^([^\s=]+)\s*=?\s*(.*)$/s.exec(action) ?? [];
      const [first = ''] = path.split(/[.[]/);
      const attribute = names[first] ?? first;
      if (verb.toUpperCase() === 'REMOVE' && path === first) delete next[attribute];
      else if (verb.toUpperCase() === 'SET' && path === first) next[attribute] = values[rest] ?? unclear;
      else next[attribute] = unclear;
    }
  }
  return next;
}

/** Returns the item as a write leaves it if the write's condition holds, or undefined if the write deletes it. */
export function afterOf(touch: Touch, before: Item | undefined): Item | undefined {
  switch (touch.how) {
    case 'put':
      return touch.item;
    case 'delete':
      return undefined;
    case 'update':
      return updated({ ...(before ?? {}), ...touch.key }, touch.body);
    default:
      return before;
  }
}
