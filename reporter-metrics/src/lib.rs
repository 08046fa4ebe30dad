//! What is measured, under which names, and how it becomes Prometheus text.
