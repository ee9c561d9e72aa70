module github.com/pincall/pincall/bench

go 1.26

replace github.com/pincall/pincall => ../
