// The m365 CLI, with a user's token in its connection. The commands are loaded
// and their options checked as the program does it.
import auth from '@pnp/cli-microsoft365/dist/Auth.js';
import { cli } from '@pnp/cli-microsoft365/dist/cli/cli.js';
import { executeCommand } from '@pnp/cli-microsoft365';
import { serve } from './serve.mjs';

const part = claims => Buffer.from(JSON.stringify(claims)).toString('base64url');
const token = `${part({ alg: 'none' })}.${part({ idtyp: 'user', oid: '11111111-1111-4111-8111-111111111111', upn: 'adele@contoso.example' })}.`;

cli.getConfig().set('disableTelemetry', true);
Object.assign(auth.connection, {
  active: true,
  accessTokens: { 'https://graph.microsoft.com': { accessToken: token, expiresOn: '9999-01-01T00:00:00Z' } },
});

await serve(async ({ command, options }) => {
  const { stdout } = await executeCommand(command, await checked(command, { output: 'json', ...options }));
  return stdout === '' ? null : JSON.parse(stdout);
});

async function checked(command, options) {
  cli.loadAllCommandsInfo();
  await cli.loadCommandFromArgs(command.split(' '));
  const found = cli.commandToExecute;
  if (!found) throw new Error(`no command ${command}`);
  if (found.command.schema) return found.command.getSchemaToParse().parse(options);
  const valid = await found.command.validate({ options }, found);
  if (valid !== true) throw new Error(valid);
  return options;
}
