import { HoldfastError } from '../../../core/errors.ts';
import { isDenial, isThrottle, lacksCredentials } from '../../../engines/aws/sdk/error-names.ts';
import { answeredStatusOf, helpCredentials } from '../../../engines/aws/sdk/errors.ts';

/** The errors by which services of AWS say that a thing does not exist. */
const missing: ReadonlySet<string> = new Set([
  'ClusterNotFoundException',
  'ServiceNotFoundException',
  'ServiceNotActiveException',
  'RepositoryNotFoundException',
]);

/** Runs a call of the SDK, and turns its error into one with a code, a reason and a sentence for the operator. */
export async function calling<T>(service: string, region: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    throw asDeployError(thrown, service, region);
  }
}

function asDeployError(thrown: unknown, service: string, region: string): unknown {
  if (thrown instanceof HoldfastError || !(thrown instanceof Error)) return thrown;
  const { name, message } = thrown;
  const cause = thrown;
  if (lacksCredentials(name)) {
    const sentence = `No AWS credentials were found (${message}).`;
    return new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', sentence, {
      cause,
      help: helpCredentials,
    });
  }
  if (isDenial(name)) {
    const sentence = `${service} in ${region} refuses these credentials (${name}: ${message}).`;
    const help = 'Use credentials that are valid and have the permissions of docs/runbooks/rollback.md.';
    return new HoldfastError('PERMISSION_DENIED', 'DENIED', sentence, { cause, help });
  }
  if (missing.has(name)) {
    const sentence = `${service} in ${region} does not have what the stack names (${name}: ${message}).`;
    const help =
      'Check --region and --stage. If the stack was changed by hand, `cdk deploy` records its names again.';
    return new HoldfastError('NOT_FOUND', 'DEPLOYMENT_NOT_FOUND', sentence, { cause, help });
  }
  const status = answeredStatusOf(thrown);
  if (status !== undefined && status >= 400 && status < 500 && !isThrottle(name)) {
    const sentence = `${service} in ${region} refuses the call (${name}: ${message}).`;
    return new HoldfastError('FAILED_PRECONDITION', 'CONFLICT', sentence, {
      cause,
      help: 'See `holdfast deploy status`, then run it again.',
    });
  }
  const sentence = `${service} in ${region} does not answer as it should (${name}: ${message}).`;
  const help = 'Check --region and that the network leads there, then run it again: nothing is done twice.';
  return new HoldfastError('UNAVAILABLE', 'UNREACHABLE', sentence, { cause, help });
}
