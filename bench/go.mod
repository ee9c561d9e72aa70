module github.com/pincall/pincall/bench

go 1.26

require github.com/pincall/pincall v0.0.0

replace github.com/pincall/pincall => ../
