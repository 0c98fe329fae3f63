import { imageLabels } from '../../core/deployments/names.ts';
import { isReadable, type SchemaRange } from '../../engines/aws/table/schema/schema-number.ts';
import type { Image } from './port.ts';

/**
 * Whether an image can read the data: `fits`; `refused`, since the table has a schema that it does not read; or `unknown`,
 * since the labels or the table could not be read.
 */
export interface SchemaFit {
  readonly verdict: 'fits' | 'refused' | 'unknown';
  readonly sentence: string;
}

/** Returns the schemas that an image reads by its labels, or undefined if it has none of them, or ones that say nothing. */
export function schemasReadBy(labels: Readonly<Record<string, string>>): SchemaRange | undefined {
  const text = labels[imageLabels.readsSchema] ?? labels[imageLabels.schema] ?? '';
  const [, from, to] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text.trim()) ?? [];
  if (from === undefined) return undefined;
  const range = { from: Number(from), to: Number(to ?? from) };
  return range.from <= range.to ? range : undefined;
}

/** The schema of a table, or the sentence that says why it is not known. */
export type FoundSchema = { readonly number: number } | { readonly fault: string };

/** Compares the labels of an image with the schema of the table that its process opens; undefined: it opens none. */
export function schemaFit(
  { tag, labels, fault }: Image,
  table: { readonly name: string; readonly schema: FoundSchema } | undefined,
): SchemaFit {
  if (table === undefined) return { verdict: 'fits', sentence: 'The service opens no table.' };
  const { name, schema } = table;
  if (labels === undefined)
    return { verdict: 'unknown', sentence: `The labels of the image '${tag}' could not be read: ${fault}` };
  const reads = schemasReadBy(labels);
  if (reads === undefined) {
    const sentence = `The image '${tag}' has no label ${imageLabels.schema}, so that it is not known which data it can read.`;
    return { verdict: 'unknown', sentence };
  }
  if ('fault' in schema) {
    const sentence = `The schema of the table '${name}' could not be read: ${schema.fault}`;
    return { verdict: 'unknown', sentence };
  }
  const range = reads.from === reads.to ? `schema ${reads.to}` : `schemas ${reads.from} to ${reads.to}`;
  const pair = `The table '${name}' has schema ${schema.number}, and the image '${tag}' reads ${range}.`;
  return { verdict: isReadable(reads, schema.number) ? 'fits' : 'refused', sentence: pair };
}
