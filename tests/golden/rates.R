# R's answers on rates, two proportions, adjusted comparisons, few clusters and the monthly panel.
#
#   Rscript rates.R [folder]
#
# reads data_people.csv (made by make_golden.R), writes rates_*.csv. Answers carry 17 digits.
# Needs survey, sandwich, clubSandwich. What has no package here is worked out in
# another way than in Python: restricted likelihoods by a numerical search, estimating equations stacked and differentiated numerically, least squares refitted
# for every vector of signs.

# small expected numbers make prop.test warn; its interval is what is wanted
options(warn = -1)
suppressPackageStartupMessages({
  library(survey)
  library(sandwich)
  library(clubSandwich)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
z95 <- qnorm(0.975)
strict <- glm.control(epsilon = 1e-15, maxit = 100)
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
write_data <- function(rows, name) write.csv(rows, file.path(folder, name), row.names = FALSE, quote = FALSE, na = "")
write_answers <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write_data(rows, name)
}
found <- list()
add <- function(case, measure, contrast, estimate, std_error = NA, low = NA, high = NA, p = NA, df = NA) {
  found[[length(found) + 1]] <<- data.frame(
    case = case, measure = measure, contrast = contrast, estimate = as.numeric(estimate), std_error = as.numeric(std_error),
    conf_low = as.numeric(low), conf_high = as.numeric(high), p_value = as.numeric(p), degrees_of_freedom = as.numeric(df))
}
# Wald rows, normal or t, ratios on the log scale (centre is then the logarithm)
wald <- function(case, measure, contrast, centre, std_error, df = Inf, ratio = FALSE) {
  back <- if (ratio) exp else identity
  limits <- back(centre + c(-1, 1) * qt(0.975, df) * std_error)
  add(case, measure, contrast, back(centre), std_error, limits[1], limits[2], 2 * pt(-abs(centre / std_error), df),
      if (is.finite(df)) df else NA)
}

# ---------------------------------------------------------------- one proportion

counts <- data.frame(events = c(0, 1, 0, 10, 3, 17, 1, 4321), n = c(1, 1, 10, 10, 6, 43, 1000, 9876))
one <- do.call(rbind, lapply(seq_len(nrow(counts)), function(i) {
  x <- counts$events[i]
  n <- counts$n[i]
  exact <- binom.test(x, n)$conf.int
  wilson <- prop.test(x, n, correct = FALSE)$conf.int
  jeffreys <- c(if (x == 0) 0 else qbeta(0.025, x + 0.5, n - x + 0.5), if (x == n) 1 else qbeta(0.975, x + 0.5, n - x + 0.5))
  plain <- x / n + c(-1, 1) * z95 * sqrt(x / n * (1 - x / n) / n)
  rows <- rbind(exact, wilson, jeffreys, pmin(pmax(plain, 0), 1))
  data.frame(interval = c("clopper-pearson", "wilson", "jeffreys", "wald"), events = x, n = n, conf_low = rows[, 1], conf_high = rows[, 2])
}))
write_answers(one, "rates_one.csv")

# ---------------------------------------------------------------- weighted and clustered shares

people <- read.csv(file.path(folder, "data_people.csv"))
set.seed(20240301)
people$weight <- round(runif(nrow(people), 0.3, 4), 3)
people$copies <- sample(1:3, nrow(people), TRUE)
people$region <- people$employer %% 11
write_data(people, "rates_people.csv")

shares <- list()
for (arm in sort(unique(people$arm))) {
  part <- people[people$arm == arm, ]
  designs <- list(weighted = svydesign(~1, weights = ~weight, data = part),
                  clustered = svydesign(~employer, weights = ~1, data = transform(part, one = 1)),
                  both = svydesign(~employer, weights = ~weight, data = part))
  for (case in names(designs)) {
    mean <- svymean(~works, designs[[case]])
    exact <- attr(svyciprop(~works, designs[[case]], method = "beta"), "ci")
    plain <- confint(mean, df = degf(designs[[case]]))
    shares[[length(shares) + 1]] <- data.frame(
      case = case, group = arm, interval = c("clopper-pearson", "wald"), estimate = as.numeric(coef(mean)),
      std_error = as.numeric(SE(mean)), conf_low = c(exact[1], plain[1]), conf_high = c(exact[2], plain[2]))
  }
}
write_answers(do.call(rbind, shares), "rates_sampled.csv")

# ---------------------------------------------------------------- two proportions

# Restricted likelihood by a numerical search on the risk of the reference, not by the closed forms.
restricted <- function(x1, n1, x0, n0, first, d, range) {
  loss <- function(p0) {
    p1 <- first(p0)
    term <- function(x, p) ifelse(x == 0, 0, x * log(p))
    -(term(x1, p1) + term(n1 - x1, 1 - p1) + term(x0, p0) + term(n0 - x0, 1 - p0))
  }
  score <- function(p0) {
    p1 <- first(p0)
    # a term without people is 0, also at the border
    part <- function(x, p) if (x == 0) 0 else x / p
    (part(x1, p1) - part(n1 - x1, 1 - p1)) * d + part(x0, p0) - part(n0 - x0, 1 - p0)
  }
  span <- range[1] + (range[2] - range[1]) * c(1e-13, 1 - 1e-13)
  ends <- suppressWarnings(c(score(span[1]), score(span[2])))
  if (!all(is.finite(ends)) || prod(sign(ends)) >= 0) {
    # the border is the most likely: a search stops short of it
    known <- suppressWarnings(sapply(range, loss))
    return(range[which.min(ifelse(is.nan(known), Inf, known))])
  }
  uniroot(score, span, tol = 1e-16, maxiter = 10000)$root
}

score_difference <- function(d, x1, n1, x0, n0) {
  n <- n1 + n0
  p0 <- restricted(x1, n1, x0, n0, function(p) p + d, 1, c(max(0, -d), min(1, 1 - d)))
  p1 <- p0 + d
  (x1 / n1 - x0 / n0 - d) / sqrt((p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * n / (n - 1))
}
score_ratio <- function(log_ratio, x1, n1, x0, n0, corrected) {
  n <- n1 + n0
  r <- exp(log_ratio)
  p0 <- restricted(x1, n1, x0, n0, function(p) r * p, r, c(0, min(1, 1 / r)))
  p1 <- r * p0
  (x1 / n1 - r * x0 / n0) / sqrt((p1 * (1 - p1) / n1 + r^2 * p0 * (1 - p0) / n0) * (if (corrected) n / (n - 1) else 1))
}
# the intercept that keeps the events, where the log odds ratio is given
held_odds <- function(log_ratio, x1, n1, x0, n0) {
  gap <- function(a) n1 * plogis(a + log_ratio) + n0 * plogis(a) - x1 - x0
  a <- uniroot(gap, c(-60, 60), tol = 1e-15, maxiter = 10000)$root
  list(p = plogis(c(a + log_ratio, a)), q = plogis(-c(a + log_ratio, a)))
}
score_odds <- function(log_ratio, x1, n1, x0, n0) {
  r <- held_odds(log_ratio, x1, n1, x0, n0)
  n <- n1 + n0
  (x1 * r$q[1] - (n1 - x1) * r$p[1]) * sqrt((1 / (n1 * r$p[1] * r$q[1]) + 1 / (n0 * r$p[2] * r$q[2])) * (n - 1) / n)
}
signed_root <- function(log_ratio, x1, n1, x0, n0) {
  term <- function(x, p) ifelse(x == 0, 0, x * log(p))
  best <- term(x1, x1 / n1) + term(n1 - x1, 1 - x1 / n1) + term(x0, x0 / n0) + term(n0 - x0, 1 - x0 / n0)
  r <- held_odds(log_ratio, x1, n1, x0, n0)
  own <- term(x1, r$p[1]) + term(n1 - x1, r$q[1]) + term(x0, r$p[2]) + term(n0 - x0, r$q[2])
  sign(x1 * r$q[1] - (n1 - x1) * r$p[1]) * sqrt(max(2 * (best - own), 0))
}
limits_of <- function(statistic, range, low_open = NA, high_open = NA) {
  find <- function(target) {
    ends <- c(statistic(range[1]), statistic(range[2])) - target
    if (prod(sign(ends)) > 0) stop("no limit: ", paste(ends, collapse = " "))
    uniroot(function(x) statistic(x) - target, range, tol = 1e-14, maxiter = 10000)$root
  }
  c(if (is.na(low_open)) find(z95) else low_open, if (is.na(high_open)) find(-z95) else high_open)
}
wilson_of <- function(x, n) prop.test(x, n, correct = FALSE)$conf.int
exact_p <- function(x1, n1, x0, n0, share) {
  support <- max(0, x1 + x0 - n0):min(x1 + x0, n1)
  d <- dhyper(support, n1, n0, x1 + x0)
  own <- dhyper(x1, n1, n0, x1 + x0)
  equal <- abs(d - own) <= 1e-7 * own
  sum(d[d < own & !equal]) + share * sum(d[equal])
}

tables <- rbind(c(2, 3, 1, 3), c(3, 7, 2, 9), c(56, 70, 48, 80), c(9, 10, 3, 10), c(180, 200, 20, 200), c(10, 10, 4, 10),
                c(0, 12, 5, 11), c(5, 11, 0, 12), c(0, 10, 0, 20), c(10, 10, 20, 20), c(10, 10, 0, 20), c(300, 41000, 250, 52000))
colnames(tables) <- c("e1", "n1", "e0", "n0")
two <- list()
for (i in seq_len(nrow(tables))) {
  x1 <- tables[i, 1]; n1 <- tables[i, 2]; x0 <- tables[i, 3]; n0 <- tables[i, 4]
  p1 <- x1 / n1; p0 <- x0 / n0
  w1 <- wilson_of(x1, n1); w0 <- wilson_of(x0, n0)
  near <- 1 - 1e-9
  rows <- list()
  put <- function(measure, interval, limits) rows[[length(rows) + 1]] <<- data.frame(
    measure = measure, interval = interval, conf_low = as.numeric(limits[1]), conf_high = as.numeric(limits[2]))
  put("risk_difference", "newcombe", c(p1 - p0 - sqrt((p1 - w1[1])^2 + (w0[2] - p0)^2), p1 - p0 + sqrt((w1[2] - p1)^2 + (p0 - w0[1])^2)))
  put("risk_difference", "miettinen-nurminen", limits_of(function(d) score_difference(d, x1, n1, x0, n0), c(-near, near),
      if (p1 - p0 == -1) -1 else NA, if (p1 - p0 == 1) 1 else NA))
  plain <- p1 - p0 + c(-1, 1) * z95 * sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
  put("risk_difference", "wald", pmin(pmax(plain, -1), 1))
  q1 <- (x1 + 1) / (n1 + 2); q0 <- (x0 + 1) / (n0 + 2)
  caffo <- q1 - q0 + c(-1, 1) * z95 * sqrt(q1 * (1 - q1) / (n1 + 2) + q0 * (1 - q0) / (n0 + 2))
  put("risk_difference", "agresti-caffo", pmin(pmax(caffo, -1), 1))
  low <- if (x1 == 0) -Inf else NA
  high <- if (x0 == 0) Inf else NA
  put("risk_ratio", "koopman", exp(limits_of(function(t) score_ratio(t, x1, n1, x0, n0, FALSE), c(-12, 12), low, high)))
  put("risk_ratio", "miettinen-nurminen", exp(limits_of(function(t) score_ratio(t, x1, n1, x0, n0, TRUE), c(-12, 12), low, high)))
  low <- if (x1 == 0 || x0 == n0) -Inf else NA
  high <- if (x1 == n1 || x0 == 0) Inf else NA
  put("odds_ratio", "miettinen-nurminen", exp(limits_of(function(t) score_odds(t, x1, n1, x0, n0), c(-14, 14), low, high)))
  put("odds_ratio", "profile", exp(limits_of(function(t) signed_root(t, x1, n1, x0, n0), c(-14, 14), low, high)))
  rows <- do.call(rbind, rows)
  fisher <- exact_p(x1, n1, x0, n0, 1)
  stopifnot(all.equal(fisher, fisher.test(matrix(c(x1, n1 - x1, x0, n0 - x0), 2))$p.value, tolerance = 1e-9))
  two[[i]] <- cbind(as.data.frame(t(tables[i, ])), rows, fisher = fisher, mid_p = exact_p(x1, n1, x0, n0, 0.5))
}
write_answers(do.call(rbind, two), "rates_two.csv")

# ---------------------------------------------------------------- strata: tests

breslow_day_tarone <- function(cells, odds) {
  sums <- apply(cells, 3, function(t) {
    n1 <- sum(t[1, ]); n0 <- sum(t[2, ]); m <- sum(t[, 1])
    if (m == 0 || m == n1 + n0) return(c(0, NA))
    gap <- function(x) log(x) + log(n0 - m + x) - log(m - x) - log(n1 - x) - log(odds)
    x <- uniroot(gap, c(max(0, m - n0), min(m, n1)) + c(1e-12, -1e-12), tol = 1e-15)$root
    c(t[1, 1] - x, 1 / (1 / x + 1 / (m - x) + 1 / (n1 - x) + 1 / (n0 - m + x)))
  })
  known <- !is.na(sums[2, ])
  off <- sums[1, known]; v <- sums[2, known]
  pchisq(sum(off^2 / v) - sum(off)^2 / sum(v), sum(known) - 1, lower.tail = FALSE)
}
strata <- do.call(rbind, lapply(c("ips", "ips_plus"), function(other) {
  pair <- people[people$arm %in% c(other, "control"), ]
  cells <- table(factor(pair$arm, c(other, "control")), factor(pair$works, c(1, 0)), pair$site)
  test <- mantelhaen.test(cells, correct = FALSE)
  data.frame(contrast = paste(other, "/ control"), p_cmh = test$p.value, p_homogeneity = breslow_day_tarone(cells, test$estimate))
}))
write_answers(strata, "rates_strata.csv")

# ---------------------------------------------------------------- regression

people$arm <- factor(people$arm)
people$site <- factor(people$site)
others <- c("ips", "ips_plus")
measures <- function(risk, base) {
  odds <- function(p) p / (1 - p)
  c(risk_difference = risk - base, risk_ratio = log(risk / base), odds_ratio = log(odds(risk) / odds(base)))
}
forced <- function(model, data, arm) {
  data$arm <- factor(arm, levels(data$arm))
  model.matrix(delete.response(terms(model)), data)
}

# Estimating equations of coefficients and the three mean risks, stacked. The bread is a numerical derivative.
stacked <- function(case, model, data, w, cluster, factor) {
  x <- model.matrix(model); y <- model$y
  k <- ncol(x)
  arms <- levels(data$arm)
  under <- lapply(arms, function(a) forced(model, data, a))
  each <- function(theta) {
    beta <- theta[1:k]
    cbind(w * (y - plogis(drop(x %*% beta))) * x, sapply(seq_along(arms), function(a) w * (plogis(drop(under[[a]] %*% beta)) - theta[k + a])))
  }
  risks <- sapply(under, function(u) weighted.mean(plogis(drop(u %*% coef(model))), w))
  theta <- c(coef(model), risks)
  total <- function(theta) colSums(each(theta))
  # Richardson's extrapolation of central differences
  slope <- sapply(seq_along(theta), function(j) {
    step <- function(h) { e <- replace(numeric(length(theta)), j, h); (total(theta + e) - total(theta - e)) / (2 * h) }
    h <- 1e-3 * max(abs(theta[j]), 0.1)
    (64 * step(h / 4) - 20 * step(h / 2) + step(h)) / 45
  })
  psi <- each(theta)
  if (!is.null(cluster)) psi <- rowsum(psi, cluster)
  v <- solve(slope) %*% crossprod(psi) %*% t(solve(slope)) * factor
  covariance <- v[k + seq_along(arms), k + seq_along(arms)]
  rows_of(case, risks, covariance)
}
rows_of <- function(case, risks, covariance) {
  odds_slope <- function(p) 1 / (p * (1 - p))
  for (i in 2:3) {
    other <- others[i - 1]
    value <- measures(risks[i], risks[1])
    slopes <- list(c(1, -1), c(1 / risks[i], -1 / risks[1]), c(odds_slope(risks[i]), -odds_slope(risks[1])))
    for (m in 1:3) {
      se <- sqrt(drop(slopes[[m]] %*% covariance[c(i, 1), c(i, 1)] %*% slopes[[m]]))
      wald(case, names(value)[m], paste(other, if (m == 1) "-" else "/", "control"), value[m], se, ratio = m > 1)
    }
  }
}

n <- nrow(people)
logistic <- glm(works ~ arm + age + site, binomial, people, control = strict)
stacked("influence", logistic, people, rep(1, n), NULL, 1)
g <- length(unique(people$employer))
stacked("influence_clustered", logistic, people, rep(1, n), people$employer, g / (g - 1) * (n - 1) / (n - length(coef(logistic))))
weighted <- suppressWarnings(glm(works ~ arm + age + site, binomial, people, weights = weight, control = strict))
stacked("influence_probability", weighted, people, people$weight, NULL, n / (n - 1))
stacked("influence_probability_clustered", weighted, people, people$weight, people$employer, g / (g - 1))
# arms alone under probability weights: survey's own means and contrasts
design <- svydesign(~1, weights = ~weight, data = people)
alone <- svyglm(works ~ arm, design, family = quasibinomial, control = strict)
x <- rbind(c(1, 0, 0), c(1, 1, 0), c(1, 0, 1))
risks <- plogis(drop(x %*% coef(alone)))
slopes <- risks * (1 - risks) * x
rows_of("survey_alone", risks, slopes %*% vcov(alone) %*% t(slopes))

# modified Poisson and the linear probability model
zou <- glm(works ~ arm + age + site, poisson, people, control = strict)
linear <- lm(works ~ arm + age + site, people)
for (other in others) {
  name <- paste0("arm", other)
  ratio <- paste(other, "/ control"); difference <- paste(other, "- control")
  wald("poisson", "risk_ratio", ratio, coef(zou)[name], sqrt(sandwich(zou)[name, name]), ratio = TRUE)
  v <- vcovCL(zou, ~employer, type = "HC1", cadjust = TRUE)
  wald("poisson_clustered", "risk_ratio", ratio, coef(zou)[name], sqrt(v[name, name]), ratio = TRUE)
  wald("linear", "risk_difference", difference, coef(linear)[name], sqrt(vcovHC(linear, "HC1")[name, name]))
}

# ---------------------------------------------------------------- few clusters: 11 regions

few <- function(case, model, data, measure, link) {
  v <- vcovCR(model, cluster = data$region, type = "CR2")
  tests <- coef_test(model, v, test = "Satterthwaite")
  for (other in others) {
    name <- paste0("arm", other)
    row <- tests[rownames(tests) == name, ]
    wald(case, measure, paste(other, if (link) "/" else "-", "control"), row$beta, row$SE, row$df_Satt, link)
    stopifnot(abs(tail(found, 1)[[1]]$p_value - row$p_Satt) < 1e-9)
  }
}
known <- people[!is.na(people$hours), ]
few("cr2_hours", lm(hours ~ arm + age + site, known), known, "mean_difference", FALSE)
few("cr2_hours_weighted", lm(hours ~ arm + age + site, known, weights = weight), known, "mean_difference", FALSE)
few("cr2_linear", linear, people, "risk_difference", FALSE)
few("cr2_poisson", zou, people, "risk_ratio", TRUE)
copied <- people[rep(seq_len(n), people$copies), ]
few("cr2_poisson_copies", glm(works ~ arm + age + site, poisson, copied, control = strict), copied, "risk_ratio", TRUE)
few("cr2_linear_copies", lm(works ~ arm + age + site, copied), copied, "risk_difference", FALSE)

# Standardised risks: the gradient is the contrast. Its degrees of freedom from clubSandwich's own matrices.
few_standardised <- function(case, model, data) {
  v <- vcovCR(model, cluster = data$region, type = "CR2")
  parts <- clubSandwich:::get_GH(model, v)
  risk <- function(arm) {
    u <- forced(model, data, arm)
    p <- plogis(drop(u %*% coef(model)))
    list(risk = mean(p), slope = colMeans(p * (1 - p) * u))
  }
  base <- risk("control")
  for (other in others) {
    a <- risk(other)
    value <- measures(a$risk, base$risk)
    slopes <- list(a$slope - base$slope, a$slope / a$risk - base$slope / base$risk,
                   a$slope / (a$risk * (1 - a$risk)) - base$slope / (base$risk * (1 - base$risk)))
    for (m in 1:3) {
      contrast <- slopes[[m]]
      se <- sqrt(drop(contrast %*% as.matrix(v) %*% contrast))
      g <- sapply(parts$G, function(x) sum(drop(contrast %*% x)^2))
      h <- apply(parts$H, 3, function(x) drop(contrast %*% x))
      p <- diag(g) - crossprod(h)
      wald(case, names(value)[m], paste(other, if (m == 1) "-" else "/", "control"), value[m], se, sum(diag(p))^2 / sum(p^2), m > 1)
    }
  }
}
few_standardised("cr2_logistic", logistic, people)

# Wild cluster bootstrap, eight clusters, every vector of signs, least squares refitted each time.
eight <- known[known$region < 8, ]
wild_p <- function(value) {
  data <- eight
  data$z <- as.numeric(data$arm == "ips"); data$z2 <- as.numeric(data$arm == "ips_plus")
  full <- hours ~ z + z2 + age
  restricted <- lm(I(hours - value * z) ~ z2 + age, data)
  statistic <- function(y) {
    data$hours <- y
    model <- lm(full, data)
    (coef(model)["z"] - value) / sqrt(vcovCL(model, data$region, type = "HC0", cadjust = FALSE)["z", "z"])
  }
  own <- abs(statistic(data$hours))
  signs <- as.matrix(expand.grid(rep(list(c(1, -1)), 8)))
  fit <- fitted(restricted) + value * data$z
  t <- apply(signs, 1, function(s) abs(statistic(fit + residuals(restricted) * s[match(data$region, 0:7)])))
  mean(t >= own * (1 - 1e-10))
}
wild <- data.frame(value = c(0, 1, 2.5, -1), p_value = sapply(c(0, 1, 2.5, -1), wild_p))
write_answers(wild, "rates_wild.csv")

# ---------------------------------------------------------------- Firth

# Penalised likelihood maximised by a general optimiser; limits by a search on the profile.
firth_rows <- function(case, x, y, name) {
  loss <- function(beta, held, value) {
    b <- if (is.null(held)) beta else append(beta, value, held - 1)
    p <- plogis(drop(x %*% b))
    -(sum(y * plogis(drop(x %*% b), log.p = TRUE) + (1 - y) * plogis(-drop(x %*% b), log.p = TRUE)) +
        as.numeric(determinant(crossprod(x, p * (1 - p) * x))$modulus) / 2)
  }
  best <- function(held = NULL, value = NULL) {
    start <- rep(0, ncol(x) - length(held))
    for (i in 1:6) {
      r <- optim(start, loss, held = held, value = value, method = "BFGS", control = list(reltol = 1e-16, maxit = 5000, ndeps = rep(1e-5, length(start))))
      start <- r$par
    }
    r
  }
  top <- best()
  j <- 2
  p <- plogis(drop(x %*% top$par))
  se <- sqrt(solve(crossprod(x, p * (1 - p) * x))[j, j])
  gap <- function(v) 2 * (best(j, v)$value - top$value) - qchisq(0.95, 1)
  low <- uniroot(gap, c(top$par[j] - 12 * se, top$par[j]), tol = 1e-9)$root
  high <- uniroot(gap, c(top$par[j], top$par[j] + 12 * se), tol = 1e-9)$root
  add(case, "conditional_odds_ratio", name, exp(top$par[j]), se, exp(low), exp(high),
      pchisq(2 * (best(j, 0)$value - top$value), 1, lower.tail = FALSE))
}
parted <- people[people$arm != "ips_plus" & people$id <= 60, ]
parted$works[parted$arm == "ips"] <- 1
write_data(parted[c("arm", "age", "works")], "rates_separated.csv")
firth_rows("firth_separated", cbind(1, parted$arm == "ips", parted$age), parted$works, "ips / control")
plain <- people[people$arm != "ips_plus" & people$id <= 150, ]
firth_rows("firth", cbind(1, plain$arm == "ips", plain$age), plain$works, "ips / control")

write_answers(do.call(rbind, found), "rates_regression.csv")

used <- c("survey", "sandwich", "clubSandwich")
write.csv(data.frame(name = c("R", used), version = c(as.character(getRversion()), sapply(used, function(p) as.character(packageVersion(p))))),
          file.path(folder, "rates_versions.csv"), row.names = FALSE, quote = FALSE)
