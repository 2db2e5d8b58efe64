// Microsoft's JavaScript client, with all of its middleware.
import { BatchRequestContent, Client, PageIterator } from '@microsoft/microsoft-graph-client';
import { serve } from './serve.mjs';

const client = Client.init({ authProvider: done => done(null, 'token') });

await serve(async call => {
  if (call.batch) return client.api('/$batch').post(await content(call.batch));
  if (call.batchBody) return client.api('/$batch').post(call.batchBody);
  const request = client.api(call.path);
  for (const [method, argument] of call.with ?? []) request[method](argument);
  if (call.pages) return pages(await request.get());
  return call.body === undefined ? request[call.method]() : request[call.method](call.body);
});

// content makes a batch by the client's own means. A Request has to have a host
// here, which the client takes off again.
async function content(requests) {
  const steps = requests.map(({ id, method, path, body, dependsOn }) => ({
    id,
    dependsOn,
    request: new Request('https://graph.microsoft.com' + path, {
      method,
      headers: body ? { 'Content-Type': 'application/json' } : {},
      body: body ? JSON.stringify(body) : undefined,
    }),
  }));
  return new BatchRequestContent(steps).getContent();
}

// pages counts what is in a page and those that follow.
async function pages(first) {
  let count = 0;
  const iterator = new PageIterator(client, first, () => { count++; return true; });
  await iterator.iterate();
  return { count, complete: iterator.isComplete() };
}
