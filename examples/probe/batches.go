package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Items of batches.
const (
	firstItem   = `{"id":"1","method":"GET","url":"/subscribedSkus?$select=skuId"}`
	secondItem  = `{"id":"2","method":"GET","url":"/subscribedSkus?$select=skuId"}`
	unknownItem = `{"id":"1","method":"GET","url":"/users/{none}"}`
	noBatch     = "Invalid batch payload format."
)

// Batches are facts that batches of reads show.
var batches = []check{
	{"batch-form", false, parts(
		part(batch(unknownItem, secondItem), "1", get("/users/{none}").missing("{none}")),
		part(batch(`{"id":"a","method":"GET","url":"subscribedSkus?$select=skuId"}`), "a", get("subscribedSkus")),
	)},
	{"batch-numeric-id", false, all(batch(`{"id":1,"method":"GET","url":"/subscribedSkus?$select=skuId"}`))},
	{"batch-numeric-id-answer", false, shown(batch(
		`{"id":1,"method":"GET","url":"/subscribedSkus?$select=skuId"}`, `{"id":2,"method":"GET","url":"/subscribedSkus?$select=skuId","dependsOn":[1]}`,
	), func(_ *probe, r reply, _ anyJSON) outcome {
		items := itemsOf(r.body)
		return verdict(len(items) == 2 && items[`"1"`].Status != 0 && items[`"2"`].Status != 0, "ids that are not strings")
	})},
	{"batch-item-headers", false, parts(
		itemHeaders(batch(firstItem), get("/subscribedSkus"), "Cache-Control x-ms-resource-unit Content-Type OData-Version"),
		itemHeaders(batch(unknownItem), get("/users/{none}").missing("{none}"), "Cache-Control x-ms-resource-unit Content-Type"),
	)},
	{"batch-empty", false, all(batch().bad(noBatch))},
	{"batch-size", false, all(manyItems(21).bad("Number of requests inside batch exceed the limit."))},
	{"batch-id-twice", false, all(batch(firstItem, firstItem).bad("Request Id 1 has to be unique in a batch."))},
	{"batch-dependency", false, all(dependent(`"9"`).refused(400, "", ""))},
	{"partial-texts", false, all(dependent(`"9"`).bad("Invalid dependency for request Id 3."))},
	{"batch-depends-on", false, all(dependent(`"1"`))},
	{"batch-depends-on-several", false, all(dependent(`"1","2"`).bad("Invalid dependency for request Id 3."))},
	{"batch-failed-dependency", false, part(
		batch(unknownItem, `{"id":"2","method":"GET","url":"/subscribedSkus?$select=skuId","dependsOn":["1"]}`), "2",
		get("/subscribedSkus").refused(424, "FailedDependency", "A request that this request depends on has failed."),
	)},
	{"batch-nested-text", false, all(batch(`{"id":"1","method":"POST","url":"/$batch","headers":{"Content-Type":"application/json"},"body":{"requests":[` + firstItem + `]}}`).
		bad("A batch request cannot be part of a batch."))},
	{"batch-absolute-url", false, part(
		batch(`{"id":"1","method":"GET","url":"https://graph.microsoft.com/v1.0/subscribedSkus"}`), "1",
		get("https://graph.microsoft.com/v1.0/subscribedSkus").bad("Resource not found for the segment ''."),
	)},
	{"batch-other-mistakes", false, all(
		batch(`{"method":"GET","url":"/subscribedSkus"}`).bad(noBatch),
		batch(`{"id":"1","url":"/subscribedSkus"}`).bad(noBatch),
		batch(`{"id":"1","method":"GET"}`).bad(noBatch),
		post("$batch", `{"requests":5}`).bad(noBatch),
		post("$batch", `{}`).bad(noBatch),
	)},
}

// dependent is a batch whose third item depends on others.
func dependent(on string) ask {
	return batch(firstItem, secondItem, `{"id":"3","method":"GET","url":"/subscribedSkus?$select=skuId","dependsOn":[`+on+`]}`)
}

func manyItems(n int) ask {
	var items []string
	for i := range n {
		items = append(items, strings.Replace(firstItem, `"1"`, strconv.Quote(strconv.Itoa(i+1)), 1))
	}
	return batch(items...)
}

type itemJSON struct {
	ID      json.RawMessage
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

// itemsOf returns the items of a batch's answer by their ids, as JSON.
func itemsOf(body []byte) map[string]itemJSON {
	var envelope struct{ Responses []itemJSON }
	json.Unmarshal(body, &envelope)
	items := make(map[string]itemJSON)
	for _, item := range envelope.Responses {
		items[string(item.ID)] = item
	}
	return items
}

// item sends a batch and judges the answer to one item of it.
func (p *probe) item(ctx context.Context, batch ask, id string, want ask) (reply, outcome) {
	r, o := p.answered(ctx, batch)
	if o != asExpected {
		return r, o
	}
	item, ok := itemsOf(r.body)[strconv.Quote(id)]
	if !ok {
		return r, differs("%s: no answer to item %s", batch, id)
	}
	r = reply{status: item.Status, header: make(http.Header), body: item.Body}
	for name, value := range item.Headers {
		r.header.Set(name, value)
	}
	r.code, r.text = problem(item.Body)
	return r, p.judge(want, r)
}

// part is a check of one item of a batch.
func part(batch ask, id string, want ask) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		_, o := p.item(ctx, batch, id, want)
		return o
	}
}

// itemHeaders is a check of what headers the answer to the first item has.
func itemHeaders(batch, want ask, names string) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		r, o := p.item(ctx, batch, "1", want)
		if o != asExpected {
			return o
		}
		for _, name := range strings.Fields(names) {
			if r.header.Get(name) == "" {
				return differs("%s: no %s", want, name)
			}
		}
		return verdict(len(r.header) == len(strings.Fields(names)), "%s: more headers", want)
	}
}
