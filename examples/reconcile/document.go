package main

import (
	"errors"

	"github.com/goccy/go-yaml/ast"

	"github.com/graphlicensing/licensing/examples/internal/mistakes"
	"github.com/graphlicensing/licensing/reconcile"
)

// A document is what the YAML says, in its own names.
type document struct {
	all     bool // everything is managed
	managed []name
	wishes  []wish
}

// A wish is what one user or group is to have.
type wish struct {
	kind     reconcile.Kind
	target   name
	mode     reconcile.Mode
	licenses []license
	remove   []name
	ref      string
}

// A license is one SKU, and which of its plans. Lists that are not there are nil.
type license struct {
	sku                            name
	without, enable, disable, only []name
}

// readDocument reads YAML, of which JSON is a part.
func readDocument(data []byte) (*document, *mistakes.List) {
	r := reader{&mistakes.List{}, map[string]ast.Node{}}
	var d document
	root := r.parse(data)
	if root == nil {
		return &d, r.List
	}
	exactly := place{} // the first wish of that mode
	r.fields(root, "a mapping with managed, users or groups", fields{
		"managed": func(node ast.Node) { d.readManaged(&r, node) },
		"users":   func(node ast.Node) { d.readWishes(&r, node, reconcile.KindUser, &exactly) },
		"groups":  func(node ast.Node) { d.readWishes(&r, node, reconcile.KindGroup, &exactly) },
	})
	if exactly.line > 0 && !d.all && len(d.managed) == 0 {
		r.failAt(exactly, errors.New("mode exactly takes away what is managed, and the file has no managed"))
	}
	return &d, r.List
}

func (d *document) readManaged(r *reader, node ast.Node) {
	if value, ok := r.value(node).(*ast.StringNode); ok && value.Value == "all" {
		d.all = true
		return
	}
	if _, ok := r.value(node).(*ast.SequenceNode); !ok {
		r.wrong(node, "all or a list of SKUs")
		return
	}
	d.managed = r.names(node, "SKU")
}

func (d *document) readWishes(r *reader, node ast.Node, kind reconcile.Kind, exactly *place) {
	r.each(node, "a mapping of "+string(kind)+"s", func(target name, value ast.Node) {
		w := wish{kind: kind, target: target, mode: reconcile.AtLeast}
		r.fields(value, "a mapping with licenses, remove, mode or ref", fields{
			"mode":     func(node ast.Node) { w.mode = r.mode(node, exactly) },
			"licenses": func(node ast.Node) { w.licenses = r.licenses(node) },
			"remove":   func(node ast.Node) { w.remove = r.names(node, "SKU") },
			"ref": func(node ast.Node) {
				ref, _ := r.name(node, "a text")
				w.ref = ref.text
			},
		})
		d.wishes = append(d.wishes, w)
	})
}

func (r *reader) mode(node ast.Node, exactly *place) reconcile.Mode {
	n, ok := r.name(node, "exactly or atLeast")
	mode := reconcile.Mode(n.text)
	switch {
	case ok && mode != reconcile.Exactly && mode != reconcile.AtLeast:
		r.fail(node, "want exactly or atLeast, and there is %q", n.text)
	case mode == reconcile.Exactly && exactly.line == 0:
		*exactly = n.place
	}
	return mode
}

func (r *reader) licenses(node ast.Node) (licenses []license) {
	r.list(node, "a list of licenses", func(node ast.Node) {
		var l license
		if _, mapping := r.value(node).(ast.MapNode); !mapping {
			l.sku, _ = r.name(node, "a SKU, or a mapping with sku")
			licenses = append(licenses, l)
			return
		}
		r.fields(node, "a mapping", fields{
			"sku":     func(node ast.Node) { l.sku, _ = r.name(node, "a SKU") },
			"without": func(node ast.Node) { l.without = r.names(node, "plan") },
			"only":    func(node ast.Node) { l.only = r.names(node, "plan") },
			"enable":  func(node ast.Node) { l.enable = r.names(node, "plan") },
			"disable": func(node ast.Node) { l.disable = r.names(node, "plan") },
		})
		if err := l.check(); err != nil {
			r.failAt(placeOf(r.value(node)), err)
		}
		licenses = append(licenses, l)
	})
	return licenses
}

// check says what of a license does not go together.
func (l *license) check() error {
	relative := l.enable != nil || l.disable != nil
	switch {
	case l.sku.text == "":
		return errors.New("the license has no sku")
	case l.without != nil && (relative || l.only != nil):
		return errors.New("without is all plans that are off, so that enable, disable and only cannot be beside it")
	case l.only != nil && len(l.only) == 0:
		return errors.New("only is empty; take the SKU out of the list, or say which plans are on")
	case l.only != nil && relative:
		return errors.New("only is all plans that are on, so that enable and disable cannot be beside it")
	}
	return nil
}
