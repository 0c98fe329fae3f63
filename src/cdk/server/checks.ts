import { Token } from 'aws-cdk-lib';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { refusal } from '../refusal.ts';

/** The policy of permissions. Give at most one; without any, every identity of the authority may do everything. */
export interface HoldfastPolicyProps {
  readonly secret?: secretsmanager.ISecret;
  /** The policy itself, as JSON. */
  readonly text?: string;
  /** The path of a file in the image. */
  readonly file?: string;
}

/** A name of DNS, of labels of letters, digits, `-` and `_`. */
const hostPattern =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

export function checkHostname(scope: Construct, hostname: string): void {
  if (Token.isUnresolved(hostname) || hostPattern.test(hostname)) return;
  const help = 'Write the name alone, such as jobs.example.org: no scheme and no port.';
  throw refusal(scope, `'${hostname}' is not the name of a host.`, help);
}

/** A server without a policy lets everybody do everything, so that a policy without content is refused. */
export function checkPolicy(scope: Construct, policy: HoldfastPolicyProps | undefined): void {
  if (policy === undefined) return;
  const { secret, text, file } = policy;
  const given = [secret, text, file].filter((one) => one !== undefined && one !== '');
  if (given.length > 1)
    throw refusal(scope, 'the policy is given twice.', 'Give a secret, a text or a file.');
  if (given.length === 0) {
    const help = 'Give a secret, a text or a file; leave policy out to let every identity do everything.';
    throw refusal(scope, 'the policy is empty.', help);
  }
  if (text === undefined || Token.isUnresolved(text)) return;
  if (!hasRules(text))
    throw refusal(scope, 'the text of the policy is no JSON with rules.', 'Write {"rules": [ … ]}.');
}

function hasRules(text: string): boolean {
  try {
    const { rules } = JSON.parse(text) as { readonly rules?: unknown };
    return Array.isArray(rules);
  } catch {
    return false;
  }
}
