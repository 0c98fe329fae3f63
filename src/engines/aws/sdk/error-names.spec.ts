import { expect, it } from 'vitest';
import { asBrokerError } from '../broker/sqs/errors.ts';
import { isDenial, isThrottle } from './error-names.ts';
import { asStoreError, errorKindOf } from './errors.ts';
import { asStartError } from './start-errors.ts';

const named = (name: string): Error => Object.assign(new Error('no'), { name });

it.each([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestThrottledException',
  'OverLimit',
  'AWS.SimpleQueueService.OverLimit',
])('the AWS error %s counts as a throttle for the breaker, the table and SQS', (name) => {
  expect(isThrottle(name)).toBe(true);
  expect(errorKindOf(named(name))).toBe('throttled');
  expect(asBrokerError(named(name))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'STORE_BUSY' });
});

it.each(['AccessDeniedException', 'IncompleteSignatureException', 'InvalidClientTokenId'])(
  'the AWS error %s counts as a denial of credentials for the table and SQS',
  (name) => {
    expect(isDenial(name)).toBe(true);
    expect(errorKindOf(named(name))).toBe('denied');
    expect(asBrokerError(named(name)).message).toContain('credentials');
  },
);

it('the AWS SDK’s error that it found no credentials does not count as a denial of credentials, since no request was sent', () => {
  expect(isDenial('CredentialsProviderError')).toBe(false);
  expect(errorKindOf(named('CredentialsProviderError'))).toBe('noCredentials');
});

it('an AWS error with an unlisted name is neither a throttle nor a denial', () => {
  expect(isThrottle(undefined)).toBe(false);
  expect(errorKindOf(named('TimeoutError'))).toBe('unknown');
});

it.each([
  'The provided key element does not match the schema',
  'The table does not have the specified index: due',
  'Query condition missed key schema element: pk',
  'One or more parameter values were invalid: Missing the key id in the item',
])('the refusal of DynamoDB %j is explained as a table of another schema', (message) => {
  const thrown = Object.assign(new Error(message), { name: 'ValidationException' });
  expect(asStoreError(thrown, 'jobs')).toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'BAD_CONFIGURATION',
  });
  const other = Object.assign(new Error('Invalid UpdateExpression'), { name: 'ValidationException' });
  expect(asStoreError(other, 'jobs')).toMatchObject({ code: 'INTERNAL', reason: 'BUG' });
});

it('an answer with an error is not reported as no answer', () => {
  const thrown = Object.assign(new Error('oops'), {
    name: 'InternalServerError',
    $metadata: { httpStatusCode: 500 },
  });
  const stored = asStoreError(thrown, 'jobs');
  expect(stored.message).toBe('The table answered with the status 500 (InternalServerError: oops).');
  expect(asStoreError(named('TimeoutError'), 'jobs').message).toContain('The table did not answer');
  const started = asStartError(stored, { service: 'DynamoDB', endpoint: 'http://h:1' });
  expect(started).toMatchObject({ reason: 'UNREACHABLE', message: expect.stringContaining('http://h:1') });
  expect((started as Error).message).toContain('status 500');
});
