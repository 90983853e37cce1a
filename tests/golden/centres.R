# R's answers on random-effects models: metafor's rma, predict, blup, confint and mixed-effects regression.
#
#   Rscript centres.R [folder]
#
# reads nothing; writes centres_values.csv (effects and variances), centres_people.csv (counts by centre), centres_answers.csv
# and centres_versions.csv. Answers carry 17 digits. Needs metafor.

suppressPackageStartupMessages(library(metafor))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
write_rows <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")
}

# three sets: much spread, none (tau = 0), and small variances beside large ones
sets <- list(
  spread = data.frame(yi = c(0.10, 0.30, 0.35, 0.65, -0.05, 0.42), vi = c(0.03, 0.03, 0.05, 0.01, 0.02, 0.04)),
  alike = data.frame(yi = c(0.21, 0.19, 0.25, 0.17, 0.20), vi = c(0.02, 0.03, 0.015, 0.04, 0.01)),
  three = data.frame(yi = c(-0.4, 0.2, 0.9), vi = c(0.05, 0.2, 0.1)),
  mixed = data.frame(
    yi = c(0.02, 0.11, -0.08, 0.30, 0.18, 0.05, 0.22, 0.14, -0.02, 0.27, 0.09, 0.16),
    vi = c(0.004, 0.010, 0.020, 0.015, 0.006, 0.009, 0.030, 0.012, 0.008, 0.025, 0.005, 0.018) / 20,
    x = c(78, 91, 74, 112, 104, 88, 109, 97, 81, 118, 86, 101)))
methods <- c(reml = "REML", "paule-mandel" = "PM", "dersimonian-laird" = "DL")
tests <- c("hartung-knapp" = "knha", "hartung-knapp-wide" = "adhoc", normal = "z")
strict <- list(threshold = 1e-14, maxiter = 10000, tol = 1e-14)

found <- list()
add <- function(set, method, interval, what, place, ...) {
  numbers <- list(...)
  for (name in names(numbers)) found[[length(found) + 1]] <<- data.frame(
    set = set, method = method, interval = interval, what = what, place = place, number = name, value = as.numeric(numbers[[name]]))
}
control <- function(method) if (method == "REML") list(threshold = 1e-14, maxiter = 10000) else list(tol = 1e-14)
for (set in names(sets)) for (method in names(methods)) for (interval in names(tests)) {
  rows <- sets[[set]]
  fit <- rma(yi, vi, data = rows, method = methods[[method]], test = tests[[interval]], control = control(methods[[method]]))
  add(set, method, interval, "mean", 0, estimate = fit$beta[1], std_error = fit$se, conf_low = fit$ci.lb, conf_high = fit$ci.ub,
      p_value = fit$pval, tau2 = fit$tau2, q = fit$QE, q_p = fit$QEp, i2 = fit$I2 / 100)
  ahead <- predict(fit)
  add(set, method, interval, "prediction", 0, conf_low = ahead$pi.lb, conf_high = ahead$pi.ub)
  drawn <- blup(fit)
  for (i in seq_len(nrow(rows))) add(set, method, interval, "blup", i, estimate = drawn$pred[i], std_error = drawn$se[i],
      conf_low = drawn$pi.lb[i], conf_high = drawn$pi.ub[i], weight = weights(fit)[i] / 100)
  if (interval == "normal" && method != "dersimonian-laird") {
    spread <- confint(fit, control = list(tol = 1e-13, maxiter = 100000))$random
    add(set, method, interval, "spread", 0, tau2_low = spread["tau^2", "ci.lb"], tau2_high = spread["tau^2", "ci.ub"])
  }
  if (!is.null(rows$x)) {
    line <- rma(yi, vi, mods = ~ x, data = rows, method = methods[[method]], test = tests[[interval]],
                control = control(methods[[method]]))
    for (i in 1:2) add(set, method, interval, "line", i - 1, estimate = line$beta[i], std_error = line$se[i],
        conf_low = line$ci.lb[i], conf_high = line$ci.ub[i], p_value = line$pval[i])
    add(set, method, interval, "line", 9, tau2 = line$tau2, q = line$QE, q_p = line$QEp, i2 = line$I2 / 100)
  }
}

# counts by centre: effects as escalc makes them, one half added to each cell where one is empty
people <- data.frame(
  centre = paste("Centre", LETTERS[1:12]),
  ips = c(40, 35, 31, 28, 22, 30, 26, 33, 24, 29, 38, 27), works = c(18, 12, 16, 9, 12, 11, 14, 9, 10, 15, 13, 9),
  control = c(41, 33, 30, 29, 23, 31, 25, 32, 25, 30, 36, 28), works_control = c(11, 10, 7, 8, 5, 9, 10, 6, 11, 6, 9, 10),
  fidelity = c(112, 95, 108, 84, 103, 90, 99, 87, 78, 115, 93, 76))
add_counts <- function(set, rows) {
  for (scale in c(risk_difference = "RD", risk_ratio = "RR", odds_ratio = "OR")) {
    name <- c(RD = "risk_difference", RR = "risk_ratio", OR = "odds_ratio")[[scale]]
    made <- escalc(scale, ai = works, n1i = ips, ci = works_control, n2i = control, data = rows)
    for (method in names(methods)) {
      fit <- rma(yi, vi, data = made, method = methods[[method]], test = "knha", control = control(methods[[method]]))
      add(set, method, "hartung-knapp", name, 0, estimate = fit$beta[1], std_error = fit$se, conf_low = fit$ci.lb,
          conf_high = fit$ci.ub, p_value = fit$pval, tau2 = fit$tau2, q = fit$QE, q_p = fit$QEp, i2 = fit$I2 / 100)
      ahead <- predict(fit)
      add(set, method, "hartung-knapp", paste0(name, " prediction"), 0, conf_low = ahead$pi.lb, conf_high = ahead$pi.ub)
      drawn <- blup(fit)
      for (i in seq_len(nrow(rows))) add(set, method, "hartung-knapp", paste0(name, " blup"), i, estimate = drawn$pred[i],
          conf_low = drawn$pi.lb[i], conf_high = drawn$pi.ub[i])
      if (nrow(rows) >= 10) {
        line <- rma(yi, vi, mods = ~ fidelity, data = made, method = methods[[method]], test = "knha",
                    control = control(methods[[method]]))
        add(set, method, "hartung-knapp", paste0(name, " line"), 1, estimate = line$beta[2], std_error = line$se[2],
            conf_low = line$ci.lb[2], conf_high = line$ci.ub[2], p_value = line$pval[2])
      }
    }
  }
}
add_counts("people", people)
# a centre where nobody worked in the control arm, and one where nobody did at all
empty <- people[1:6, ]
empty$works_control[2] <- 0
empty$works[5] <- 0
empty$works_control[5] <- 0
add_counts("empty", empty)

values <- do.call(rbind, lapply(names(sets), function(set) {
  rows <- sets[[set]]
  if (is.null(rows$x)) rows$x <- NA
  cbind(set = set, rows)
}))
write_rows(values, "centres_values.csv")
write_rows(rbind(cbind(set = "people", people), cbind(set = "empty", empty)), "centres_people.csv")
write_rows(do.call(rbind, found), "centres_answers.csv")
write_rows(data.frame(name = c("R", "metafor"), version = c(as.character(getRversion()), as.character(packageVersion("metafor")))),
           "centres_versions.csv")
