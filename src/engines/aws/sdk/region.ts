import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../../../core/errors.ts';

/**
 * So that a region that nobody named is told at the start, not by the first call.
 *
 * @throws HoldfastError FAILED_PRECONDITION, reason BAD_CONFIGURATION.
 */
export async function ensureRegion(config: DynamoDBClientConfig): Promise<void> {
  const client = new DynamoDBClient(config);
  const named = typeof config.region === 'string' ? config.region : undefined;
  try {
    await client.config.region();
  } catch (cause) {
    const told = named === undefined ? 'No AWS region is known here.' : `'${named}' is no AWS region.`;
    throw new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', told, {
      cause,
      help: 'Name one, such as eu-central-1, with --region or AWS_REGION, or in the profile of ~/.aws/config that AWS_PROFILE names.',
    });
  } finally {
    client.destroy();
  }
}
