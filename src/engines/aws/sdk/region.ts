import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../../../core/errors.ts';

/**
 * Checks at the start that an AWS region is configured and valid, so that a wrong configuration is reported before the
 * first call.
 *
 * @throws HoldfastError FAILED_PRECONDITION, reason BAD_CONFIGURATION, if no valid region is configured.
 */
export async function ensureRegion(config: DynamoDBClientConfig): Promise<void> {
  const client = new DynamoDBClient(config);
  const named = typeof config.region === 'string' ? config.region : undefined;
  try {
    await client.config.region();
  } catch (cause) {
    const message = named === undefined ? 'No AWS region is known here.' : `'${named}' is no AWS region.`;
    throw new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', message, {
      cause,
      help: 'Name an AWS region, such as eu-central-1, with --region or AWS_REGION, or in the profile of ~/.aws/config that AWS_PROFILE names.',
    });
  } finally {
    client.destroy();
  }
}
