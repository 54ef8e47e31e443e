# A thin front: what is done stands in tools/ and meson.build.
.NOTPARALLEL:
.PHONY: run build test torture fuzz bench profile format lint clean

run: build
	@exec build/rosterd --demo

build:
	@tools/setup
	@tools/build build

test:
	@tools/test

torture:
	@tools/torture $(PART)

fuzz:
	@tools/fuzz $(FOR) $(TARGETS)

bench:
	@tools/setup bench
	@tools/bench

profile:
	@tools/setup profile
	@tools/profile

format:
	@tools/setup test
	@find src bench dist tests -name node_modules -prune -o -name '*.[ch]' -print | xargs clang-format -i
	@tools/prettier --write --log-level warn

lint:
	@tools/lint

clean:
	rm -rf build build-*
