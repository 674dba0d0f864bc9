"""What the paper reports (Hu et al., MICCAI 2020, Tables 1 and 2): Dice in per cent on BraTS 2018, mean and sd of 3 folds.

The paper does not say on which grid it scored.
"""

#: Region -> (mean, sd); sd is None where none is given.
Row = dict[str, tuple[float, float | None]]

#: System's label here (``Training.label``) -> its row. The last two are with T1ce alone, taken by the paper from Dorent et al. (MICCAI 2019).
PUBLISHED: dict[str, Row] = {
    "baseline": {"ET": (68.1, 1.27), "TC": (80.28, 2.44), "WT": (77.06, 1.47)},
    "teacher": {"ET": (69.47, 1.86), "TC": (80.77, 1.18), "WT": (88.48, 0.79)},
    "gt+kl": {"ET": (70.00, 1.51), "TC": (80.85, 1.82), "WT": (77.08, 1.29)},
    "gt+kd": {"ET": (69.22, 1.19), "TC": (80.54, 1.66), "WT": (76.83, 1.36)},
    "gt+kl+kd": {"ET": (71.67, 1.22), "TC": (81.45, 1.25), "WT": (76.98, 1.54)},
    "baseline-0skips": {"ET": (42.95, 3.42), "TC": (69.44, 1.37), "WT": (69.41, 1.52)},
    "teacher-0skips": {"ET": (42.59, 2.54), "TC": (69.79, 1.63), "WT": (75.93, 0.33)},
    "gt+kl-0skips": {"ET": (47.59, 0.98), "TC": (70.96, 1.73), "WT": (71.41, 1.2)},
    "gt+kd-0skips": {"ET": (44.8, 1.1), "TC": (70.12, 2.42), "WT": (70.19, 1.4)},
    "gt+kl+kd-0skips": {"ET": (46.23, 2.91), "TC": (70.73, 2.47), "WT": (71.93, 1.26)},
    "u-hved": {"ET": (65.5, None), "TC": (66.7, None), "WT": (62.4, None)},
    "hemis": {"ET": (60.8, None), "TC": (58.5, None), "WT": (58.5, None)},
}

#: System and skips of every row of the two tables, in their order.
TABLE_1 = [(system, 4) for system in ("baseline", "teacher", "u-hved", "hemis", "gt+kl+kd")]
TABLE_2 = [(system, skips) for skips in (4, 0) for system in ("baseline", "teacher", "gt+kl", "gt+kd", "gt+kl+kd")]
