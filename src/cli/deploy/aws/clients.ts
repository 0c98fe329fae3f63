import type { ECRClient } from '@aws-sdk/client-ecr';
import type { ECSClient } from '@aws-sdk/client-ecs';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { HoldfastError } from '../../../core/errors.ts';

/** The modules of the AWS SDK that every verb needs, and a client of each. */
export interface Clients {
  readonly region: string;
  readonly ecs: ECSClient;
  readonly ecr: ECRClient;
  readonly ssm: SSMClient;
  readonly ecsModule: typeof import('@aws-sdk/client-ecs');
  readonly ecrModule: typeof import('@aws-sdk/client-ecr');
  readonly ssmModule: typeof import('@aws-sdk/client-ssm');
}

/**
 * Loads a client of the AWS SDK, which is an optional dependency.
 *
 * @throws HoldfastError BAD_CONFIGURATION that names the packages to install.
 */
export async function loadClient<T>(load: () => Promise<T>, packages: readonly string[]): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    const name = packages.find((one) => message.includes(one));
    if (code !== 'ERR_MODULE_NOT_FOUND' || name === undefined) throw thrown;
    throw new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', `${name} is not installed here.`, {
      cause: thrown,
      help: `Run \`npm install ${packages.join(' ')}\`.`,
    });
  }
}

const packages = ['@aws-sdk/client-ecs', '@aws-sdk/client-ecr', '@aws-sdk/client-ssm'];

/**
 * The limits of each request. Without them the SDK waits for ever for a service that takes a connection and does not answer, and
 * neither --timeout nor Ctrl-C would end that wait.
 */
export const requestHandler = {
  connectionTimeout: 5_000,
  requestTimeout: 20_000,
  socketTimeout: 20_000,
  throwOnRequestTimeout: true,
} as const;

/**
 * Opens the clients of ECS, ECR and SSM. The SDK finds credentials, and endpoints other than AWS's own in
 * AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_ECS and so on.
 */
export async function openClients(named: string | undefined): Promise<Clients> {
  const [ecsModule, ecrModule, ssmModule] = await loadClient(
    () =>
      Promise.all([
        import('@aws-sdk/client-ecs'),
        import('@aws-sdk/client-ecr'),
        import('@aws-sdk/client-ssm'),
      ]),
    packages,
  );
  const config = { requestHandler, ...(named !== undefined && { region: named }) };
  const ecs = new ecsModule.ECSClient(config);
  const region = await ecs.config.region().catch((cause: unknown) => {
    const message = named === undefined ? 'No AWS region is known here.' : `'${named}' is no AWS region.`;
    throw new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
      cause,
      help: 'Name an AWS region, such as eu-central-1, with --region or AWS_REGION, or in the profile of ~/.aws/config that AWS_PROFILE names.',
    });
  });
  const ecr = new ecrModule.ECRClient(config);
  const ssm = new ssmModule.SSMClient(config);
  return { region, ecs, ecr, ssm, ecsModule, ecrModule, ssmModule };
}
