/**
 * Reads policy files. A server without one does not load this module, nor the library that checks the file, whose 95 modules
 * are 2 MB of its memory after a start.
 */
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { name } from '../../core/rules.ts';
import { readSource } from '../../tls/read-source.ts';
import { type Policy, policyOf } from './policy.ts';

const nameRule = name();
const validName = z.string().refine((value) => nameRule(value) === undefined, {
  error: ({ input }) => nameRule(String(input)),
});
const pattern = z.string().min(1).max(1_024);

const rule = z.strictObject({
  identity: pattern,
  tenants: z.array(validName).min(1).optional(),
  queues: z.array(validName).min(1).optional(),
  verbs: z
    .array(z.enum(['submit', 'work', 'read', 'admin']))
    .min(1)
    .optional(),
});

const policyFile = z.strictObject({
  rules: z.array(rule),
  revoked: z
    .strictObject({
      serials: z.array(z.string().regex(/^[0-9A-Fa-f:]+$/, 'must be hexadecimal')).default([]),
      identities: z.array(pattern).default([]),
    })
    .default({ serials: [], identities: [] }),
});

/** Reads a policy file. Throws FAILED_PRECONDITION with BAD_CONFIGURATION, which names every invalid field. */
export function readPolicy(file: string): Policy {
  let json: unknown;
  try {
    json = JSON.parse(readSource(file).toString('utf8'));
  } catch (thrown) {
    const why = thrown instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw badPolicy(`The policy file '${file}' ${why}: ${(thrown as Error).message}.`, thrown);
  }
  const parsed = policyFile.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
    );
    throw badPolicy(`The policy file '${file}' is wrong: ${problems.join('; ')}.`, parsed.error);
  }
  return policyOf(parsed.data);
}

function badPolicy(message: string, cause: unknown): HoldfastError {
  return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
    cause,
    help: 'It is JSON: { "rules": [{ "identity": "spiffe://…/*", "tenants": […], "queues": […], "verbs": […] }], "revoked": { "serials": […], "identities": […] } }.',
  });
}
