"""LSTM, GRU and RNN."""

from edgeopt.kernels.call import Kernel
from edgeopt.kernels.recurrent import gru, gru_packed, lstm, lstm_packed

KERNELS: tuple[Kernel, ...] = (
    lstm_packed.KERNEL,
    lstm.KERNEL,
    *gru_packed.KERNELS,
    *gru.KERNELS,
)
