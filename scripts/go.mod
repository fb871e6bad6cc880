module github.com/sluicehq/sluice/scripts

go 1.26.0
