"""A tour from Python: compile, verify, approximate within a budget, and ask why. Run it as `python -m examples.tour`."""

# %% [markdown]
# # A tour of edgeopt
# The digits network lies beside this file with its data.

# %%
import tempfile
from pathlib import Path

import numpy as np

import edgeopt

HERE = Path("examples") if Path("examples/digits.onnx").exists() else Path(".")
MODEL, EVALUATION, CALIBRATION = HERE / "digits.onnx", HERE / "digits.eval.npz", HERE / "digits.cal.npz"
images = np.load(EVALUATION)["image"]

# %% [markdown]
# ## Compile and run
# Level 2 keeps every number within floating-point tolerance.

# %%
exact = edgeopt.compile(MODEL, level=2)
digits = exact.run({"image": images})["logits"].argmax(axis=1)
print(f"{(digits == np.load(EVALUATION)['labels']).mean():.2%} of {len(images)} digits are right")

# %% [markdown]
# ## Approximate within a budget
# At most one percentage point may be lost; the manifest says what became of each layer.

# %%
stages: list[str] = []
options = edgeopt.Options(quantize="w8a8", progress=lambda stage, share: stages.append(f"{share:.0%} {stage}"))
small = edgeopt.compile(MODEL, level=3, data=EVALUATION, calibration=CALIBRATION, max_drop=1.0, options=options)
record = small.manifest["quantization"]
print(f"{record['metric']} {record['before']:.2f} % -> {record['after']:.2f} % on {record['samples']} samples")
for layer in record["layers"]:
    print(f"  {layer['layer']}: {layer['form']}")

# %% [markdown]
# ## Save and load

# %%
with tempfile.TemporaryDirectory() as folder:
    small.save(Path(folder) / "digits.edgeopt")
    again = edgeopt.load(Path(folder) / "digits.edgeopt")
    agree = again.run({"image": images[:100]})["logits"].argmax(axis=1) == digits[:100]
print(f"{agree.mean():.0%} of the decisions are those of the exact network; it took {len(stages)} steps, the last: {stages[-1]}")
