import { expect, it } from 'vitest';
import { awsCommands } from './rollback.ts';

it('the commands of the AWS CLI are those of the shell blocks of a page, with continued lines as one', () => {
  const page =
    '# A\n\n```sh\nholdfast deploy status\naws ssm put-parameter \\\n  --name x\n```\n\naws ecs x\n';
  expect(awsCommands(page)).toEqual(['aws ssm put-parameter --name x']);
  expect(awsCommands('```sh\nplace=$(aws ssm get-parameter --name x)\n```\n')).toHaveLength(1);
});
