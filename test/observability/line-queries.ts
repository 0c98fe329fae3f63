/** Finds the faults of LogQL and TraceQL texts: syntax, and labels, fields and attributes that nothing has. */
import { parser as logQl } from '@grafana/lezer-logql';
import { parser as traceQl } from '@grafana/lezer-traceql';
import type { Tree } from '@lezer/common';
import { verdictCodes } from '../../src/core/explain/verdict.ts';
import { knownAttributes, lineFields, serviceNames, streamLabels } from './known-fields.ts';

interface Use {
  readonly name: string;
  /** The names of the nodes around it, the nearest first. */
  readonly within: readonly string[];
  /** The text with which it is compared; undefined if there is none. */
  readonly value: string | undefined;
}

function parsed(text: string, parser: typeof logQl): Tree {
  if (text.trim() === '') throw new SyntaxError('an empty text is no query');
  return parser.configure({ strict: true }).parse(text);
}

function identifiersOf(text: string, parser: typeof logQl): readonly Use[] {
  const uses: Use[] = [];
  parsed(text, parser).iterate({
    enter({ name, from, to, node }) {
      if (name !== 'Identifier') return;
      const within: string[] = [];
      for (let above = node.parent; above !== null; above = above.parent) within.push(above.name);
      const compared = node.parent?.getChild('String') ?? undefined;
      const value = compared && text.slice(compared.from + 1, compared.to - 1);
      uses.push({ name: text.slice(from, to), within, value });
    },
  });
  return uses;
}

function faultsBy(language: string, find: () => readonly string[]): readonly string[] {
  try {
    return find();
  } catch (thrown) {
    return [`no ${language} (${(thrown as Error).message})`];
  }
}

export function logQlOffences(text: string): readonly string[] {
  return faultsBy('LogQL', () =>
    identifiersOf(text, logQl).flatMap(({ name, within, value = '' }) => {
      if (within.includes('Selector')) {
        if (!streamLabels.has(name)) return [`no stream has the label ${name}`];
        const isService = serviceNames.some((one) => new RegExp(`^(?:${value})$`).test(one));
        return name !== 'service_name' || isService ? [] : [`no process has the name ${value}`];
      }
      if (!streamLabels.has(name) && !lineFields.has(name)) return [`no line has the field ${name}`];
      if (name !== 'cause' || value === '') return [];
      const codes: readonly (string | undefined)[] = verdictCodes;
      return value
        .split('|')
        .flatMap((code) => (codes.includes(code) ? [] : [`no line has the cause ${code}`]));
    }),
  );
}

export function traceQlOffences(text: string): readonly string[] {
  return faultsBy('TraceQL', () =>
    identifiersOf(text, traceQl).flatMap(({ name, within }) => {
      if (within[0] !== 'AttributeField') return [];
      const scoped = [...text.matchAll(/\b(span|resource)\.([a-z_.]+)/g)].find(
        ([, , one]) => one === name,
      )?.[1];
      if (scoped === undefined) return [`${name} stands without span. or resource.`];
      return knownAttributes[scoped as 'span' | 'resource'].has(name) ? [] : [`no ${scoped} has ${name}`];
    }),
  );
}
