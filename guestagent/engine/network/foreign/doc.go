// Package foreign reads other programs' packet rules to say which of them stop containers' packets: an accept of
// berth's table cannot overrule another's drop. It never changes a rule, and it runs no program.
package foreign
