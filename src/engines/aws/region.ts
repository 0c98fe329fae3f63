import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../../core/errors.ts';

/**
 * So that a region that nobody named is told at the start, not by the first call.
 *
 * @throws HoldfastError FAILED_PRECONDITION, reason BAD_CONFIGURATION.
 */
export async function ensureRegion(config: DynamoDBClientConfig): Promise<void> {
  const client = new DynamoDBClient(config);
  try {
    await client.config.region();
  } catch (cause) {
    throw new HoldfastError('FAILED_PRECONDITION', 'BAD_CONFIGURATION', 'No AWS region is known here.', {
      cause,
      help: 'Name it with --region or AWS_REGION, or in the profile of ~/.aws/config that AWS_PROFILE names.',
    });
  } finally {
    client.destroy();
  }
}
