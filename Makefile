# Targets of redbutton. `make` alone lists them.
PYTHON = python3
IN_ENVIRONMENT = $(PYTHON) -I .ci/environment.py exec --
WITH_FUZZER = $(PYTHON) -I .ci/environment.py exec --fuzz --

HARDWARE = $(notdir $(wildcard hardware/*.py))
PROBE = $(wildcard firmware/probe/*.py)

COVERED = tests/firmware $(addprefix tests/end_to_end/test_,before_energising.py lock_step_chain.py \
	journal_chain.py flood.py) tests/record/test_record_chain.py

# MicroPython for the emulated chip: RP2_UF2 names one, or it is built.
CAMPAIGN = $(or $(OUT),dist/campaign)
CHIP_IMAGE = $(or $(RP2_UF2),dist/RPI_PICO-1.25.0.uf2)

.DEFAULT_GOAL := help
.PHONY: help demo test lint requirements benchmark soak check-latency gate-latency latency campaign coverage mutation fuzz sizes chip-image chip-test chip-benchmark hardware fmea firmware service-trial wheel-check clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15

demo:  ## show a robot being stopped, without hardware
	@$(IN_ENVIRONMENT) redbutton demo

test:  ## run all tests
	@$(IN_ENVIRONMENT) python -m pytest tests -q -n 3 --dist worksteal

lint:  ## check style and types
	@$(IN_ENVIRONMENT) ruff check .
	@$(IN_ENVIRONMENT) ruff format --check .
	@$(IN_ENVIRONMENT) mypy --strict host/redbutton ros_ws/src/redbutton_ros
	@$(IN_ENVIRONMENT) mypy --strict .ci/environment.py
	@$(IN_ENVIRONMENT) mypy --config-file firmware/mypy.ini firmware
	@$(IN_ENVIRONMENT) mypy --config-file firmware/mypy.ini $(PROBE)
	@$(IN_ENVIRONMENT) env MYPYPATH=hardware mypy --strict $(addprefix hardware/,$(HARDWARE))

requirements:  ## show which tests prove which requirement
	@$(IN_ENVIRONMENT) python -m pytest tests -q -m requirement --requirements-table

coverage:  ## print the firmware's lines and branches that no test reaches: a failure
	@$(IN_ENVIRONMENT) python -m pytest -q --firmware-coverage $(COVERED)

mutation:  ## change decide.py and wire.py in every small way; a quarter of an hour (EVERY=40: a slice)
	@$(IN_ENVIRONMENT) python tests/mutation.py $(if $(EVERY),--every $(EVERY))

fuzz:  ## ask the checks, the link and the sockets anything at all for 2 minutes (SECONDS=600: longer)
	@$(if $(REPLAY),$(IN_ENVIRONMENT) python tests/fuzz/run.py --replay "$(REPLAY)",$\
		$(WITH_FUZZER) python tests/fuzz/run.py $(if $(SECONDS),--seconds $(SECONDS)) $(TARGETS))

benchmark:  ## print how late control ticks are, with and without a flood
	@$(IN_ENVIRONMENT) python tests/benchmarks/flood_lateness.py

soak:  ## the heartbeat on a busy computer with 200 clients for half an hour: false stops (MINUTES=n, OPTIONS=--no-realtime)
	@$(IN_ENVIRONMENT) python tests/benchmarks/soak.py $(or $(MINUTES),30) $(OPTIONS)

check-latency:  ## print how long the checks of motion and of plans take
	@$(IN_ENVIRONMENT) python tests/benchmarks/checks_latency.py

gate-latency:  ## print what the gate adds to a command's way, and how long a stop takes; some minutes
	@$(IN_ENVIRONMENT) python tests/benchmarks/gate_latency.py

latency:  ## measure 1000 stops of each kind in virtual time, 50 in real time; some ten minutes (OUT=DIR: and draw)
	@$(IN_ENVIRONMENT) redbutton bench latency $(if $(OUT),--out "$(OUT)")

campaign:  ## every scenario with every fault at many instants, and a report of it (OUT=DIR to keep it there)
	@$(IN_ENVIRONMENT) redbutton bench campaign --out "$(CAMPAIGN)"
	@$(IN_ENVIRONMENT) redbutton bench report "$(CAMPAIGN)" --out "$(CAMPAIGN)/report.html" --pdf "$(CAMPAIGN)/report.pdf"

sizes:  ## print how big the firmware is, and how much heap it takes
	@$(IN_ENVIRONMENT) python tests/benchmarks/firmware_sizes.py

chip-image: $(CHIP_IMAGE)  ## build MicroPython's image for the emulated chip from Debian's sources

$(CHIP_IMAGE):
	@$(IN_ENVIRONMENT) python tests/chip/build_image.py "$(CHIP_IMAGE)"

chip-test: $(CHIP_IMAGE)  ## run the firmware on a whole emulated chip: three quarters of an hour
	@$(IN_ENVIRONMENT) env RP2_UF2="$(CHIP_IMAGE)" python -m pytest tests/chip -v

chip-benchmark: $(CHIP_IMAGE)  ## print what a tick costs on an emulated chip, and how fast the button is
	@$(IN_ENVIRONMENT) env RP2_UF2="$(CHIP_IMAGE)" python tests/chip/benchmark.py

hardware: fmea  ## generate all that follows from hardware/circuit.yaml: drawings, lists, pin map
	@$(IN_ENVIRONMENT) python hardware/generate.py

firmware:  ## put firmware and manifest into dist/firmware, signed with SIGNING_KEY=FILE
	@$(IN_ENVIRONMENT) python -m redbutton.manifest dist/firmware $(if $(SIGNING_KEY),--signing-key "$(SIGNING_KEY)")

fmea:  ## prove the circuit in simulation, every part opened and shorted (VARIANT=12V: the other one)
	@$(IN_ENVIRONMENT) python hardware/fmea.py $(if $(VARIANT),--variant $(VARIANT))

service-trial:  ## run the hardened service under a real systemd, in namespaces of its own; a minute, as root
	@$(IN_ENVIRONMENT) python tests/udev/service_trial.py

wheel-check:  ## ask the index whether `pip install redbutton` needs no compiler on a Raspberry Pi; some minutes
	@$(IN_ENVIRONMENT) python tests/wheel_check.py

clean:  ## remove all that these targets have made
	rm -rf .venv ros_ws/build ros_ws/install ros_ws/log dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
