# R's answers to the questions that ips_outcomes answers.
#
#   Rscript make_golden.R [folder]
#
# writes data sets (data_*.csv) and answers (answers_*.csv) into the folder (by
# default the one this is started in), and versions.csv. The Python tests read
# the very same rows and compare; they need no R. Answers carry 17 digits, so
# that nothing is lost on the way.
#
# Needs the packages survival, sandwich, metafor and epitools.

suppressPackageStartupMessages({
  library(survival)
  library(sandwich)
  library(metafor)
  library(epitools)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
z95 <- qnorm(0.975)

digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))

write_data <- function(rows, name) write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")

write_answers <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write_data(rows, name)
}

# One row of answers_comparisons.csv. Ratios carry the error of their logarithm.
answer <- function(case, measure, contrast, estimate, std_error, low, high, p) {
  data.frame(case = case, measure = measure, contrast = contrast, estimate = as.numeric(estimate),
             std_error = as.numeric(std_error), conf_low = as.numeric(low), conf_high = as.numeric(high),
             p_value = as.numeric(p))
}

# Wald interval and p-value around an estimate, ratios on the log scale.
wald <- function(case, measure, contrast, estimate, std_error) {
  ratio <- measure != "risk_difference" && measure != "mean_difference"
  centre <- if (ratio) log(estimate) else estimate
  limits <- centre + c(-1, 1) * z95 * std_error
  if (ratio) limits <- exp(limits)
  answer(case, measure, contrast, estimate, std_error, limits[1], limits[2], 2 * pnorm(-abs(centre / std_error)))
}

# ---------------------------------------------------------------- data sets

# Counts, for rates: nobody, everybody, one person, many people.
counts <- data.frame(
  group = c("none of 1", "all of 1", "none of 10", "all of 10", "3 of 6", "17 of 43", "1 of 1000", "4321 of 9876"),
  events = c(0L, 1L, 0L, 10L, 3L, 17L, 1L, 4321L),
  n = c(1L, 1L, 10L, 10L, 6L, 43L, 1000L, 9876L)
)
write_data(counts, "data_counts.csv")

# People of a trial with three arms, five sites, 40 employers (clusters) of
# uneven size, and an outcome that depends on age and site. Some hours missing.
set.seed(20240101)
n <- 420
people <- data.frame(
  id = seq_len(n),
  arm = sample(c("control", "ips", "ips_plus"), n, TRUE, c(0.4, 0.35, 0.25)),
  site = sample(c("bergen", "bodo", "hamar", "oslo", "tromso"), n, TRUE, c(0.3, 0.1, 0.1, 0.4, 0.1)),
  age = round(rnorm(n, 35, 10), 1),
  employer = sample(seq_len(40), n, TRUE, prob = 1 + (seq_len(40) %% 5))
)
shift <- setNames(c(0, -0.6, 0.2, 0.5, -0.2), c("bergen", "bodo", "hamar", "oslo", "tromso"))
effect <- setNames(c(0, 0.6, 0.9), c("control", "ips", "ips_plus"))
linear <- -0.5 + effect[people$arm] + shift[people$site] - 0.02 * (people$age - 35) + rnorm(40, 0, 0.5)[people$employer]
people$works <- rbinom(n, 1, plogis(linear))
people$hours <- round(20 + 4 * linear + rnorm(n, 0, 6), 2)
people$hours[sample(n, 25)] <- NA
write_data(people, "data_people.csv")

# Times in whole months, many ties, two causes; entry before time; case weights.
set.seed(20240102)
n <- 300
arm <- sample(c("control", "ips", "ips_plus"), n, TRUE)
to_job <- ceiling(rexp(n, c(control = 0.02, ips = 0.045, ips_plus = 0.06)[arm]))
to_other <- ceiling(rexp(n, 0.012))
to_end <- sample(20:43, n, TRUE)
time <- pmin(to_job, to_other, to_end)
event <- ifelse(to_job <= pmin(to_other, to_end), 1L, ifelse(to_other <= to_end, 2L, 0L))
times <- data.frame(
  id = seq_len(n), arm = arm, time = as.integer(time), event = event,
  entry = as.integer(floor(runif(n) * pmin(time, 12))),
  copies = sample(1:4, n, TRUE, c(0.5, 0.3, 0.15, 0.05)),
  weight = round(runif(n, 0.2, 3.5), 3)
)
write_data(times, "data_times.csv")

# Awkward small sets: events and censoring at time 0; a stretch with nobody at
# risk that later entries end; everybody has the event; the last at risk all leave.
small <- rbind(
  data.frame(case = "from_zero", entry = NA, time = c(0, 0, 1, 2, 2, 3, 4, 4), event = c(1, 0, 1, 1, 0, 2, 1, 2)),
  data.frame(case = "gap", entry = c(0, 0, 0, 5, 5, 6, 6), time = c(2, 3, 3, 8, 9, 9, 11), event = c(1, 0, 0, 1, 2, 1, 0)),
  data.frame(case = "all_events", entry = NA, time = c(1, 1, 2, 3, 3, 5), event = rep(1, 6)),
  data.frame(case = "no_events", entry = NA, time = c(1, 2, 2, 4), event = rep(0, 4)),
  data.frame(case = "emptied", entry = c(0, 0, 0, 2, 3, 3), time = c(1, 2, 2, 5, 5, 6), event = c(1, 1, 2, 1, 0, 1))
)
for (column in c("entry", "time", "event")) small[[column]] <- as.integer(small[[column]])
small$arm <- rep(c("a", "b"), length.out = nrow(small))
write_data(small, "data_small.csv")

# ---------------------------------------------------------------- rates

rates <- do.call(rbind, lapply(seq_len(nrow(counts)), function(i) {
  x <- counts$events[i]
  size <- counts$n[i]
  # prop.test warns that the chi-square approximation is poor in small samples; only its interval is used
  limits <- suppressWarnings(prop.test(x, size, correct = FALSE))$conf.int
  data.frame(group = counts$group[i], estimate = x / size, std_error = sqrt(x / size * (1 - x / size) / size),
             conf_low = limits[1], conf_high = limits[2])
}))
write_answers(rates, "answers_rates.csv")

# ---------------------------------------------------------------- two proportions

wilson <- function(x, size) suppressWarnings(prop.test(x, size, correct = FALSE))$conf.int

# Newcombe 1998, method 10: square and add the distances to the Wilson limits.
newcombe <- function(x1, n1, x0, n0) {
  p1 <- x1 / n1
  p0 <- x0 / n0
  w1 <- wilson(x1, n1)
  w0 <- wilson(x0, n0)
  p1 - p0 + c(-sqrt((p1 - w1[1])^2 + (w0[2] - p0)^2), sqrt((w1[2] - p1)^2 + (p0 - w0[1])^2))
}

two_proportions <- function(case, other, reference, x1, n1, x0, n0) {
  cells <- matrix(c(n0 - x0, n1 - x1, x0, x1), 2, dimnames = list(c("reference", "other"), c("no", "yes")))
  p <- suppressWarnings(chisq.test(cells, correct = FALSE))$p.value
  limits <- newcombe(x1, n1, x0, n0)
  difference <- x1 / n1 - x0 / n0
  rows <- answer(case, "risk_difference", paste(other, "-", reference), difference,
                 sqrt(x1 / n1 * (1 - x1 / n1) / n1 + x0 / n0 * (1 - x0 / n0) / n0), limits[1], limits[2], p)
  # epitools prints no standard errors: they are half the width of the interval, on the log scale
  rr <- suppressWarnings(riskratio.wald(cells))$measure["other", ]
  or <- suppressWarnings(oddsratio.wald(cells))$measure["other", ]
  for (found in list(list("risk_ratio", rr), list("odds_ratio", or))) {
    value <- found[[2]]
    rows <- rbind(rows, answer(case, found[[1]], paste(other, "/", reference), value["estimate"],
                               log(value["upper"] / value["lower"]) / (2 * z95), value["lower"], value["upper"], p))
  }
  rows
}

compared <- list()
add <- function(rows) compared[[length(compared) + 1]] <<- rows

events <- tapply(people$works, people$arm, sum)
sizes <- tapply(people$works, people$arm, length)
for (other in c("ips", "ips_plus")) {
  add(two_proportions("unadjusted", other, "control", events[other], sizes[other], events["control"], sizes["control"]))
}
# far apart, so that p is tiny; and close together
add(two_proportions("far_apart", "b", "a", 180, 200, 20, 200))
add(two_proportions("small", "b", "a", 3, 7, 2, 9))

# ---------------------------------------------------------------- Mantel-Haenszel over sites

greenland_robins_difference <- function(x1, n1, x0, n0) {
  total <- n1 + n0
  weight <- n1 * n0 / total
  estimate <- sum(weight * (x1 / n1 - x0 / n0)) / sum(weight)
  # weighted sum of binomial variances
  variance <- sum(weight^2 * (x1 * (n1 - x1) / n1^3 + x0 * (n0 - x0) / n0^3)) / sum(weight)^2
  c(estimate, sqrt(variance))
}

greenland_robins_ratio <- function(x1, n1, x0, n0) {
  total <- n1 + n0
  r <- sum(x1 * n0 / total)
  s <- sum(x0 * n1 / total)
  variance <- sum((n1 * n0 * (x1 + x0) - x1 * x0 * total) / total^2) / (r * s)
  c(r / s, sqrt(variance))
}

mantel_haenszel <- function(case, table, strata, other, reference) {
  pair <- table[table$arm %in% c(other, reference), ]
  # strata with people of one arm only add nothing, and mantelhaen.test refuses strata of one person
  both <- Filter(function(s) length(unique(pair$arm[pair[[strata]] == s])) == 2, unique(pair[[strata]]))
  pair <- pair[pair[[strata]] %in% both, ]
  cells <- table(factor(pair$arm, c(other, reference)), factor(pair$works, c(1, 0)), factor(pair[[strata]]))
  x1 <- as.numeric(cells[1, 1, ])
  n1 <- as.numeric(colSums(cells[1, , ]))
  x0 <- as.numeric(cells[2, 1, ])
  n0 <- as.numeric(colSums(cells[2, , ]))
  difference <- greenland_robins_difference(x1, n1, x0, n0)
  ratio <- greenland_robins_ratio(x1, n1, x0, n0)
  # mantelhaen.test's interval is that of Robins, Breslow and Greenland; its p-value is of another test, not used
  odds <- mantelhaen.test(cells, correct = FALSE)
  odds_error <- log(odds$conf.int[2] / odds$conf.int[1]) / (2 * z95)
  # metafor is a second opinion; cells stay as they are (no 1/2 added)
  for (opinion in list(list("RR", log(ratio[1]), ratio[2]), list("OR", log(odds$estimate), odds_error),
                       list("RD", difference[1], NA))) {
    # its warnings are about single strata with empty cells, which the pooled answer does not use
    second <- suppressWarnings(
      rma.mh(measure = opinion[[1]], ai = x1, n1i = n1, ci = x0, n2i = n0, add = 0, to = "none", drop00 = FALSE)
    )
    stopifnot(isTRUE(all.equal(as.numeric(second$beta), as.numeric(opinion[[2]]), tolerance = 1e-12)))
    # metafor's error of the difference is Sato's (Biometrics 1989;45:1323-1324), which also holds in many small
    # strata; Greenland and Robins' does not
    if (opinion[[1]] == "RD") sato <- second$se
    stopifnot(is.na(opinion[[3]]) || isTRUE(all.equal(second$se, opinion[[3]], tolerance = 1e-12)))
  }
  rbind(
    wald(paste0(case, "_sato"), "risk_difference", paste(other, "-", reference), difference[1], sato),
    wald(case, "risk_difference", paste(other, "-", reference), difference[1], difference[2]),
    wald(case, "risk_ratio", paste(other, "/", reference), ratio[1], ratio[2]),
    wald(case, "odds_ratio", paste(other, "/", reference), as.numeric(odds$estimate), odds_error)
  )
}

for (other in c("ips", "ips_plus")) {
  add(mantel_haenszel("mantel_haenszel", people, "site", other, "control"))
  # 40 small strata, several of them with empty cells
  add(mantel_haenszel("mantel_haenszel_many", people, "employer", other, "control"))
}

# ---------------------------------------------------------------- standardised risks after logistic regression

# Everybody's risk under each arm, averaged. Its gradient in the coefficients,
# and so the delta-method errors, from the model matrix of everybody forced into the arm.
g_computation <- function(case, model, data, covariance, others, reference) {
  under <- function(arm) {
    forced <- data
    forced$arm <- factor(arm, levels(data$arm))
    x <- model.matrix(delete.response(terms(model)), forced)
    risk <- plogis(drop(x %*% coef(model)))
    list(risk = mean(risk), slope = colMeans(risk * (1 - risk) * x))
  }
  error <- function(slope) sqrt(drop(slope %*% covariance %*% slope))
  base <- under(reference)
  do.call(rbind, lapply(others, function(other) {
    a <- under(other)
    odds <- function(p) p / (1 - p)
    rbind(
      wald(case, "risk_difference", paste(other, "-", reference), a$risk - base$risk, error(a$slope - base$slope)),
      wald(case, "risk_ratio", paste(other, "/", reference), a$risk / base$risk,
           error(a$slope / a$risk - base$slope / base$risk)),
      wald(case, "odds_ratio", paste(other, "/", reference), odds(a$risk) / odds(base$risk),
           error(a$slope / (a$risk * (1 - a$risk)) - base$slope / (base$risk * (1 - base$risk))))
    )
  }))
}

modelled <- people
modelled$arm <- factor(modelled$arm, c("control", "ips", "ips_plus"))
modelled$site <- factor(modelled$site)
# far tighter than the default, so that the comparison tests formulae and not stopping rules
strict <- glm.control(epsilon = 1e-15, maxit = 100)
logistic <- glm(works ~ arm + age + site, binomial, modelled, control = strict)
add(g_computation("adjusted", logistic, modelled, vcov(logistic), c("ips", "ips_plus"), "control"))
# Small-sample factor: G / (G - 1) * (n - 1) / (n - k), which sandwich calls HC1 with cadjust
clustered <- vcovCL(logistic, cluster = ~employer, type = "HC1", cadjust = TRUE)
add(g_computation("adjusted_clustered", logistic, modelled, clustered, c("ips", "ips_plus"), "control"))
alone <- glm(works ~ arm, binomial, modelled, control = strict)
clustered <- vcovCL(alone, cluster = ~employer, type = "HC1", cadjust = TRUE)
add(g_computation("clustered", alone, modelled, clustered, c("ips", "ips_plus"), "control"))

# ---------------------------------------------------------------- means

linear_rows <- function(case, model, covariance, others, quantile, tail) {
  do.call(rbind, lapply(others, function(other) {
    name <- paste0("arm", other)
    estimate <- coef(model)[[name]]
    std_error <- sqrt(covariance[name, name])
    limits <- estimate + c(-1, 1) * quantile * std_error
    answer(case, "mean_difference", paste(other, "- control"), estimate, std_error, limits[1], limits[2],
           tail(estimate / std_error))
  }))
}

for (case in c("mean", "mean_adjusted")) {
  model <- lm(if (case == "mean") hours ~ arm else hours ~ arm + age + site, modelled)
  free <- model$df.residual
  add(linear_rows(case, model, vcov(model), c("ips", "ips_plus"), qt(0.975, free), function(t) 2 * pt(-abs(t), free)))
}
# Cluster-robust: statsmodels goes over to the normal distribution here (R's coefci would use t)
known <- modelled[!is.na(modelled$hours), ]
model <- lm(hours ~ arm + age + site, known)
clustered <- vcovCL(model, cluster = ~employer, type = "HC1", cadjust = TRUE)
add(linear_rows("mean_adjusted_clustered", model, clustered, c("ips", "ips_plus"), z95, function(z) 2 * pnorm(-abs(z))))

# ---------------------------------------------------------------- Cox

cox <- function(case, table, formula, others, reference) {
  # a tight stopping rule, for the same reason as above
  model <- coxph(formula, table, ties = "efron", control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100))
  found <- summary(model)
  do.call(rbind, lapply(others, function(other) {
    name <- paste0("arm", other)
    answer(case, "hazard_ratio", paste(other, "/", reference), found$conf.int[name, "exp(coef)"],
           found$coefficients[name, "se(coef)"], found$conf.int[name, "lower .95"], found$conf.int[name, "upper .95"],
           found$coefficients[name, "Pr(>|z|)"])
  }))
}

three <- times
three$arm <- factor(three$arm)
two <- droplevels(three[three$arm != "ips_plus", ])
add(cox("cox_two_arms", two, Surv(time, event == 1) ~ arm, "ips", "control"))
add(cox("cox_three_arms", three, Surv(time, event == 1) ~ arm, c("ips", "ips_plus"), "control"))
add(cox("cox_other_cause", three, Surv(time, event == 2) ~ arm, c("ips", "ips_plus"), "control"))
# times from 0: R lets those who have the event at time 0 count like at any other time
from_zero <- three
from_zero$time <- pmax(from_zero$time - 1L, 0L)
add(cox("cox_from_zero", from_zero, Surv(time, event == 1) ~ arm, c("ips", "ips_plus"), "control"))

write_answers(do.call(rbind, compared), "answers_comparisons.csv")

# ---------------------------------------------------------------- standardised differences

described <- do.call(rbind, lapply(c("ips", "ips_plus"), function(other) {
  a <- people[people$arm == other, ]
  b <- people[people$arm == "control", ]
  number <- (mean(a$age) - mean(b$age)) / sqrt((var(a$age) + var(b$age)) / 2)
  # Yang and Dalton: shares of all levels but one, distance in the pooled multinomial covariance
  shares <- function(x) as.numeric(table(factor(x, sort(unique(people$site)))) / length(x))[-1]
  p <- shares(a$site)
  q <- shares(b$site)
  pooled <- (diag(p) - p %o% p + diag(q) - q %o% q) / 2
  category <- sqrt(drop((p - q) %*% solve(pooled, p - q)))
  data.frame(outcome = c("age", "site"), contrast = paste(other, "- control"), estimate = c(number, category))
}))
write_answers(described, "answers_baseline.csv")

# ---------------------------------------------------------------- cumulative incidence

# Multi-state survfit: standard errors by the infinitesimal jackknife, a person
# (id) being the unit. Weighted numbers at risk are counted here, because
# versions of survival differ in whether n.risk of a multi-state curve is weighted.
incidence <- function(case, table, group, weighted = FALSE, entry = FALSE) {
  do.call(rbind, lapply(sort(unique(group)), function(g) {
    part <- table[group == g, ]
    part$id <- seq_len(nrow(part))
    part$state <- factor(part$event, 0:2)
    part$w <- if (weighted) part$weight else 1
    if (!entry) part$entry <- -1
    fit <- if (entry) {
      survfit(Surv(entry, time, state) ~ 1, part, weights = w, id = id, conf.type = "log-log")
    } else {
      survfit(Surv(time, state) ~ 1, part, weights = w, id = id, conf.type = "log-log")
    }
    count <- function(chosen) vapply(fit$time, function(t) sum(part$w[chosen(t)]), 0)
    at_risk <- count(function(t) part$entry < t & t <= part$time)
    if (!weighted) stopifnot(all(at_risk == fit$n.risk[, 1]))
    do.call(rbind, lapply(1:2, function(cause) {
      state <- match(as.character(cause), fit$states)
      events <- count(function(t) part$time == t & part$event == cause)
      if (!weighted) stopifnot(all(events == fit$n.event[, state]))
      data.frame(case = case, group = g, cause = cause, time = as.integer(fit$time), at_risk = at_risk, events = events,
                 estimate = fit$pstate[, state], std_error = fit$std.err[, state],
                 conf_low = fit$lower[, state], conf_high = fit$upper[, state])
    }))
  }))
}

everybody <- rep("all", nrow(times))
copied <- times[rep(seq_len(nrow(times)), times$copies), ]
curves <- rbind(
  incidence("ties", times, times$arm),
  incidence("entry", times, times$arm, entry = TRUE),
  # frequencies mean so many people: in R that is so many rows (its weights= are case weights)
  incidence("frequency", copied, rep("all", nrow(copied))),
  incidence("probability", times, everybody, weighted = TRUE),
  incidence("probability_entry", times, everybody, weighted = TRUE, entry = TRUE)
)
for (case in unique(small$case)) {
  part <- small[small$case == case, ]
  curves <- rbind(curves, incidence(case, part, rep("all", nrow(part)), entry = !all(is.na(part$entry))))
}
curves$cause <- as.integer(curves$cause)
write_answers(curves, "answers_incidence.csv")

versions <- data.frame(
  name = c("R", "survival", "sandwich", "metafor", "epitools"),
  version = c(as.character(getRversion()),
              vapply(c("survival", "sandwich", "metafor", "epitools"), function(p) as.character(packageVersion(p)), ""))
)
write_data(versions, "versions.csv")
