"""TAO and BURST: what counts where only some classes were annotated, and the metric TETA."""
